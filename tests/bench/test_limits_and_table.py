"""What the bench says: ratios, the table that never shows a figure alone, and the record on disk."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.cluster.ledger import TaskTimes
from bench.command import main
from bench.figure import Failure, Figure, Limit, Unit, compare, nearest_rank
from bench.limits.commits import sqlite_limit
from bench.limits.floor import floors
from bench.limits.process_rates import KINDS, rate
from bench.record import Machine, Record
from bench.scenarios.timed_runs import steps_in_ms
from bench.table import details_table, failures_table, figures_table, limits_table

SPAWN = Limit(name="spawn", words="raw spawn", unit=Unit.PER_SECOND, values=(900.0, 1000.0, 1200.0))
COMMIT = Limit(name="commit.sqlite", words="raw commit", unit=Unit.PER_SECOND, values=(500.0,))
CORE = Limit(name="core", words="one core", unit=Unit.PERCENT_OF_CORE, values=(100.0,))
LIMITS = {limit.name: limit for limit in (SPAWN, COMMIT, CORE)}


def figure(
    unit: Unit, *values: float, against: tuple[str, ...] = ("spawn",), quantile: float = 0.5, **detail: object
) -> Figure:
    return Figure(
        scenario="fan",
        backend="sqlite",
        words="tasks",
        unit=unit,
        values=values,
        against=against,
        quantile=quantile,
        detail=detail,
    )


def test_a_rate_is_a_share_of_the_median_limit() -> None:
    [found] = compare(figure(Unit.PER_SECOND, 100, 410, 500), LIMITS)

    assert (found.bound, found.ratio, found.text) == (1000, 0.41, "41 %")


def test_a_cost_is_a_multiple_of_the_milliseconds_that_one_of_a_rate_takes() -> None:
    [found] = compare(figure(Unit.MILLISECONDS, 24, against=("commit.sqlite",)), LIMITS)

    assert (found.bound, found.ratio, found.text) == (2, 12, "12.0 x")


def test_idle_cpu_is_a_share_of_a_core() -> None:
    [found] = compare(figure(Unit.PERCENT_OF_CORE, 0.5, against=("core",)), LIMITS)

    assert found.text == "0.5 %"


def test_memory_is_not_compared_with_time() -> None:
    with pytest.raises(ValueError, match=r"the limit spawn is in /s; it cannot be compared with a figure in MiB"):
        compare(figure(Unit.MEBIBYTES, 100), LIMITS)


def test_a_figure_without_a_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="fan on sqlite, tasks: no limit to compare it with"):
        figure(Unit.PER_SECOND, 1, against=())


def test_a_high_percentile_is_by_nearest_rank() -> None:
    samples = [float(number) for number in range(1, 31)]

    assert nearest_rank(samples, 0.99) == 30
    assert nearest_rank(samples, 0.9) == 27
    assert figure(Unit.MILLISECONDS, *samples, quantile=0.99).value == 30
    assert figure(Unit.MILLISECONDS, *samples).value == 15.5


def test_the_floor_of_a_hop_adds_up_its_parts() -> None:
    limits = {
        one.name: one
        for one in (
            Limit(name="fork_alone", words="", unit=Unit.PER_SECOND, values=(1000.0,)),
            Limit(name="spawn_alone", words="", unit=Unit.PER_SECOND, values=(500.0,)),
            Limit(name="commit.postgres", words="", unit=Unit.PER_SECOND, values=(500.0,)),
            Limit(name="broker", words="", unit=Unit.MILLISECONDS, values=(3.0,)),
            COMMIT,
        )
    }

    assert [one.value for one in floors(limits, "sqlite")] == [1 + 3 * 2, 2 + 3 * 2]
    assert [one.value for one in floors(limits, "postgres")] == [1 + 3 * 2 + 3, 2 + 3 * 2 + 3]


def test_every_figure_in_the_table_has_its_limit_beside_it() -> None:
    table = figures_table([figure(Unit.MILLISECONDS, 20, 24, 31, against=("commit.sqlite", "spawn"))], LIMITS)

    [_, _, first, second] = table.splitlines()
    assert first.split() == "fan sqlite 24 ms tasks 20 to 31 12.0 x 2 ms raw commit".split()
    assert second.split() == "24.0 x 1 ms raw spawn".split()


def test_the_table_of_limits_shows_how_steady_they_are() -> None:
    lines = limits_table(LIMITS).splitlines()

    assert lines[2].split() == "raw spawn 1,000/s 900 to 1,200".split()
    assert lines[3].split() == "raw commit 500/s".split()


def test_the_details_show_only_the_steps_that_a_scenario_has() -> None:
    cpu = {"nodes": 5.25, "children": 1.5}
    steps = {"admit": 1.0, "claim": 2.0, "execute": 3.0}

    table = details_table([figure(Unit.PER_SECOND, 1, cpu_ms_per_task=cpu, step_ms=steps)])

    assert table.splitlines()[2].split() == "fan sqlite 5.25 1.50 1.00 2.00 3.00".split()
    assert details_table([figure(Unit.PER_SECOND, 1)]) == ""


def test_the_steps_of_a_chain_include_the_way_to_the_next_task() -> None:
    run = [
        TaskTimes(scheduled_at=0.0, queued_at=0.001, started_at=0.003, ended_at=0.013),
        TaskTimes(scheduled_at=0.017, queued_at=0.018, started_at=0.020, ended_at=0.030),
    ]

    chain = steps_in_ms([run], is_chain=True)

    assert chain == pytest.approx({"admit": 1, "claim": 2, "execute": 10, "advance": 4})
    assert "advance" not in steps_in_ms([run], is_chain=False)


def test_the_record_holds_every_figure_with_its_ratios(tmp_path: Path) -> None:
    failure = Failure(scenario="chain", backend="postgres", reason="it failed")
    record = Record(
        at=datetime(2026, 11, 22, 19, 0, 5, tzinfo=UTC),
        machine=Machine(cores=2, python="3.11", system="Linux", load_before=0.1),
        limits=LIMITS,
        figures=[figure(Unit.PER_SECOND, 410)],
        failures=[failure],
    )

    path = record.write(tmp_path / "records")

    assert path == tmp_path / "records" / "20261122T190005Z.json"
    document = json.loads(path.read_text())
    assert document["figures"][0]["value"] == 410
    assert document["figures"][0]["ratios"] == {"spawn": 0.41}
    assert document["limits"]["spawn"]["value"] == 1000
    assert document["machine"]["cores"] == 2
    assert document["failures"] == [{"scenario": "chain", "backend": "postgres", "reason": "it failed"}]
    assert failures_table([failure]) == "FAILED  chain on postgres: it failed"


@pytest.mark.parametrize(("load", "is_busy"), [(0.9, False), (1.1, True)])
def test_a_machine_that_does_something_else_is_busy(load: float, is_busy: bool) -> None:
    assert Machine(cores=2, python="3.11", system="Linux", load_before=load).is_busy is is_busy


@pytest.mark.skipif(sys.platform != "linux", reason="pidfds are Linux's")
@pytest.mark.parametrize("in_flight", [1, 4])
def test_the_rate_of_processes_starts_with_as_many_in_flight_as_told(in_flight: int) -> None:
    started = 0

    def start() -> int:
        nonlocal started
        started += 1
        return KINDS["spawn"]()

    per_second = rate(start, in_flight=in_flight, seconds=0)

    assert started == in_flight
    assert per_second > 0


def test_the_rate_of_commits_is_that_of_a_file_with_so_many_rows(tmp_path: Path) -> None:
    limit = sqlite_limit(tmp_path, 0.01, 2)

    assert limit.name == "commit.sqlite"
    assert len(limit.values) == 2
    assert min(limit.values) > 0
    assert (tmp_path / "limit.db").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--only", "seq40,seq41"],
            "seq41 is no scenario; wanted some of idle, trigger_to_first, seq40, bash_fan, noop_fan",
        ),
        (["--backend", "oracle"], "'oracle' is not a valid Backend; wanted some of sqlite, postgres"),
    ],
)
def test_an_unknown_name_is_told_with_those_that_exist(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)

    assert message in capsys.readouterr().err
