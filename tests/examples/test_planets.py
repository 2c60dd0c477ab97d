"""The ETL about the planets: its astronomy against the almanac, its bad rows, and that a day may be run again."""

import csv
import importlib
import sqlite3
import xml.etree.ElementTree as ElementTree
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.examples.loading import FOLDER, module_of

FILE = "planets_etl.py"
DAY = "2024-12-07"


@pytest.fixture(scope="module")
def etl() -> Any:
    return module_of(FILE)


@pytest.fixture(scope="module")
def ephemeris(etl: Any) -> Any:
    return importlib.import_module("planets.ephemeris")


@pytest.fixture
def orbits(ephemeris: Any) -> dict[str, Any]:
    found = {}
    with (FOLDER / "planets" / "elements.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            try:
                found[row["planet"]] = ephemeris.Elements.parse(row)
            except ephemeris.BadElements:
                continue
    return found


@pytest.mark.parametrize(
    ("planet", "day", "angle"),
    [("Jupiter", "2024-12-07", 179.3), ("Saturn", "2025-09-21", 177.5), ("Mars", "2020-10-13", 177.0)],
)
def test_an_outer_planet_is_opposite_the_sun_on_the_day_of_its_opposition(
    ephemeris: Any, orbits: dict[str, Any], planet: str, day: str, angle: float
) -> None:
    moment = datetime.fromisoformat(day).replace(hour=20, tzinfo=UTC)

    seen = ephemeris.sight(orbits[planet].at(moment), orbits["Earth"].at(moment))

    assert abs(seen.elongation_degrees) == pytest.approx(angle, abs=0.3)
    assert seen.when == "seen all night"


def test_venus_stands_furthest_from_the_sun_in_the_evening_of_10_january_2025(
    ephemeris: Any, orbits: dict[str, Any]
) -> None:
    def elongation(day: datetime) -> float:
        angle: float = ephemeris.sight(orbits["Venus"].at(day), orbits["Earth"].at(day)).elongation_degrees
        return angle

    days = [datetime(2024, 12, 1, tzinfo=UTC) + timedelta(days=number) for number in range(80)]

    furthest = max(days, key=elongation)

    assert abs(furthest - datetime(2025, 1, 10, tzinfo=UTC)) <= timedelta(days=1)
    assert elongation(furthest) == pytest.approx(47.2, abs=0.1)


def test_bad_rows_are_put_aside_with_their_reasons(etl: Any) -> None:
    checked = etl.validate.function(etl.extract.function(), {"at_most_bad": 3})

    assert [row["planet"] for row in checked["good"]] == [
        "Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune",
    ]  # fmt: skip
    assert [(row["line"], row["planet"]) for row in checked["bad"]] == [(5, "Vulcan"), (8, "Saturn")]
    assert checked["bad"][0]["reason"].startswith("no value for a_rate, e, ")
    assert "Kepler's third law" in checked["bad"][1]["reason"]


def test_too_many_bad_rows_fail_the_run(etl: Any) -> None:
    with pytest.raises(ValueError, match=r"2 bad rows in elements\.csv, at most 1 are tolerated"):
        etl.validate.function(etl.extract.function(), {"at_most_bad": 1})


def test_a_day_that_is_run_again_is_replaced_and_no_other_day_is_touched(
    etl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_EXAMPLES_OUTPUT", str(tmp_path))
    checked = etl.validate.function(etl.extract.function(), {"at_most_bad": 3})
    good, bad = checked["good"], checked["bad"]

    def run(day: str) -> int:
        days: int = etl.load.function(etl.transform.function(good, day), bad, day)
        return days

    first = [run(DAY), run("2025-01-10")]
    with closing(sqlite3.connect(tmp_path / "planets.db")) as database:
        before = database.execute("SELECT * FROM position ORDER BY 1, 2, 3").fetchall()
    again = run(DAY)

    assert (first, again) == ([1, 2], 2)
    with closing(sqlite3.connect(tmp_path / "planets.db")) as database:
        assert database.execute("SELECT * FROM position ORDER BY 1, 2, 3").fetchall() == before
        assert database.execute("SELECT count(*) FROM quarantine").fetchone() == (2 * len(bad),)


def test_the_chart_is_an_svg_with_every_planet(etl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_EXAMPLES_OUTPUT", str(tmp_path))
    good = etl.validate.function(etl.extract.function(), {"at_most_bad": 3})["good"]
    days = etl.load.function(etl.transform.function(good, DAY), [], DAY)

    path = etl.report.function(days, DAY)

    texts = [element.text or "" for element in ElementTree.parse(path).iter() if element.tag.endswith("text")]
    assert {"Mercury", "Earth", "Neptune"} < set(texts)
    assert "Jupiter: 34 light minutes away, seen all night" in texts
