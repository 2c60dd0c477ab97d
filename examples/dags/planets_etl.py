"""Where the planets are, day by day: extract, validate, transform, load into SQLite, report with a chart.

Each run is about one day, its logical date. Running a day again replaces that day's rows and nothing else, so any day
from 1800 to 2050 may be triggered, repeated or filled in later, in any order.

The results are in the folder that the variable `examples_output` names, or in flowd-examples in the temporary folder.
"""

import csv
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from planets.chart import draw
from planets.ephemeris import BadElements, Elements, sight

from flowd import Param, Variable, dag, task

ELEMENTS = Path(__file__).parent / "planets" / "elements.csv"

SCHEMA = """
CREATE TABLE IF NOT EXISTS position (
    day TEXT, hour INTEGER, planet TEXT, x REAL, y REAL, z REAL, light_minutes REAL, elongation REAL, visible TEXT,
    PRIMARY KEY (day, hour, planet)
);
CREATE TABLE IF NOT EXISTS quarantine (day TEXT, line INTEGER, planet TEXT, reason TEXT, PRIMARY KEY (day, line));
"""
INSERT_POSITION = """
INSERT INTO position VALUES (:day, :hour, :planet, :x, :y, :z, :light_minutes, :elongation, :visible)
"""
SELECT_NOON = "SELECT * FROM position WHERE day = ? AND hour = 12 ORDER BY x * x + y * y"
INSERT_QUARANTINE = "INSERT INTO quarantine VALUES (:day, :line, :planet, :reason)"

Row = dict[str, Any]


def output_folder() -> Path:
    """Return the folder for results, which exists."""
    folder = Path(Variable.get("examples_output", f"{tempfile.gettempdir()}/flowd-examples"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@task
def extract() -> list[Row]:
    """Read the table of orbits that lies beside this file."""
    with ELEMENTS.open(newline="") as file:
        return [{"line": number, **row} for number, row in enumerate(csv.DictReader(file), start=2)]


@task(multiple_outputs=True)
def validate(rows: list[Row], params: dict[str, Any]) -> dict[str, list[Row]]:
    """Part good rows from bad ones, each bad one with its reason; too many bad ones fail the run."""
    good, bad = [], []
    for row in rows:
        try:
            Elements.parse(row)
        except BadElements as error:
            print(f"line {row['line']}, {row['planet']}: {error}")
            bad.append({"line": row["line"], "planet": row["planet"], "reason": str(error)})
        else:
            good.append(row)
    print(f"{len(good)} good rows, {len(bad)} bad ones")
    if len(bad) > params["at_most_bad"]:
        raise ValueError(f"{len(bad)} bad rows in {ELEMENTS.name}, at most {params['at_most_bad']} are tolerated")
    return {"good": good, "bad": bad}


@task
def transform(good: list[Row], ds: str) -> list[Row]:
    """Compute each planet's place for every hour of the day."""
    orbits = {row["planet"]: Elements.parse(row) for row in good}
    midnight = datetime.fromisoformat(ds).replace(tzinfo=UTC)
    return [
        {"day": ds, "hour": hour, "planet": planet, **_place(planet, orbits, midnight + timedelta(hours=hour))}
        for hour in range(24)
        for planet in orbits
    ]


@task
def load(positions: list[Row], bad: list[Row], ds: str) -> int:
    """Replace the day's rows in one transaction; return how many days the database holds now."""
    with closing(sqlite3.connect(output_folder() / "planets.db", timeout=30)) as database:
        database.executescript(SCHEMA)
        with database:
            database.execute("DELETE FROM position WHERE day = ?", (ds,))
            database.execute("DELETE FROM quarantine WHERE day = ?", (ds,))
            database.executemany(INSERT_POSITION, positions)
            database.executemany(INSERT_QUARANTINE, [{"day": ds, **row} for row in bad])
        days: int = database.execute("SELECT count(DISTINCT day) FROM position").fetchone()[0]
    print(f"{len(positions)} rows for {ds}; the database holds {days} days")
    return days


@task
def report(days: int, ds: str) -> str:
    """Draw the day's chart from the database; return its path."""
    folder = output_folder()
    with closing(sqlite3.connect(folder / "planets.db", timeout=30)) as database:
        database.row_factory = sqlite3.Row
        noon = [dict(row) for row in database.execute(SELECT_NOON, (ds,))]
        bad = database.execute("SELECT count(*) FROM quarantine WHERE day = ?", (ds,)).fetchone()[0]
    path = folder / f"planets-{ds}.svg"
    path.write_text(draw(ds, noon, bad))
    print(f"{path}: {len(noon)} planets, {bad} bad rows left out; {days} days in the database")
    return str(path)


@dag(
    schedule="@daily",
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    params={"at_most_bad": Param(3, "How many bad rows are tolerated.", type="integer", minimum=0)},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=5)},
    tags=["example", "etl"],
    doc_md=__doc__,
)
def planets_etl() -> None:
    """The pipeline: what each task returns is an XCom that the next one is given."""
    checked = validate(extract())
    report(load(transform(checked["good"]), checked["bad"]))


planets_etl()


def _place(planet: str, orbits: dict[str, Elements], moment: datetime) -> Row:
    x, y, z = orbits[planet].at(moment)
    place: Row = {"x": round(x, 6), "y": round(y, 6), "z": round(z, 6)}
    if planet == "Earth":
        return {**place, "light_minutes": 0.0, "elongation": 0.0, "visible": ""}
    seen = sight((x, y, z), orbits["Earth"].at(moment))
    return {
        **place,
        "light_minutes": round(seen.light_minutes, 3),
        "elongation": round(seen.elongation_degrees, 2),
        "visible": seen.when,
    }
