"""The record on disk: read again it says the same, and two of them tell what changed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.changes import changes_rows
from bench.figure import Failure, Figure, Unit
from bench.record import Machine, Record
from tests.support.bench_figures import LIMITS, SPAWN, a_figure


def a_record(*figures: Figure, failures: Sequence[Failure] = ()) -> Record:
    return Record(
        at=datetime(2026, 11, 22, 19, 0, 5, tzinfo=UTC),
        machine=Machine(cores=2, python="3.11", system="Linux", load_before=0.1),
        limits=LIMITS,
        figures=list(figures),
        failures=list(failures),
    )


def test_the_record_holds_every_figure_with_its_ratios_and_targets(tmp_path: Path) -> None:
    figure = a_figure(Unit.PER_SECOND, 510, scenario="bash_fan")

    document = json.loads(a_record(figure).write(tmp_path / "records" / "1.json").read_text())

    [written] = document["figures"]
    assert written["value"] == 510
    assert written["ratios"] == {"spawn": 0.51}
    assert written["targets"] == [{"text": ">= 50 % of spawn (500/s)", "is_reached": True}]
    assert document["limits"]["spawn"]["value"] == 1000
    assert document["machine"]["cores"] == 2


def test_a_record_that_was_written_is_read_as_it_was(tmp_path: Path) -> None:
    failure = Failure(scenario="chain", backend="postgres", reason="it failed")
    record = a_record(a_figure(Unit.PER_SECOND, 410, 420, beside=("celery.noop",), parts={"a": 1}), failures=[failure])

    assert Record.read(record.write(tmp_path / "1.json")) == record


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"at": "2026-11-22T19:00:05+00:00"}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"other\.json is no record of this version of the bench"):
        Record.read(path)


def test_a_change_is_told_of_the_value_of_its_ratio_and_of_the_cpu() -> None:
    slow = {spawn.name: spawn for spawn in [replace(SPAWN, values=(500.0,))]}
    before = a_record(a_figure(Unit.PER_SECOND, 100, cpu_ms_per_task={"node": 4.0, "broker": 9.0}))
    after = replace(
        a_record(
            a_figure(Unit.PER_SECOND, 100, cpu_ms_per_task={"node": 3.0, "broker": 1.0}),
            a_figure(Unit.PER_SECOND, 7, scenario="new"),
        ),
        limits={**LIMITS, **slow},
    )

    [_, row] = changes_rows(before, after)

    assert row == ("fan", "rate", "sqlite", "100/s", "100/s", "x 1.00", "x 2.00", "x 0.75")


@pytest.mark.parametrize(("load", "is_busy"), [(0.9, False), (1.1, True)])
def test_a_machine_that_does_something_else_is_busy(load: float, is_busy: bool) -> None:
    assert Machine(cores=2, python="3.11", system="Linux", load_before=load).is_busy is is_busy
