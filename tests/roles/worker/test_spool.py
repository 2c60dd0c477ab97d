"""Spool: what was written is read back, whatever broke in between."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from flowd.db.ledger.write import Measured
from flowd.domain.ids import TaskId
from flowd.domain.task_events import (
    Cancelled,
    Deferred,
    Failed,
    Interrupted,
    ReportEvent,
    Rescheduled,
    Skipped,
    Succeeded,
)
from flowd.roles.worker.report import report_from_json, report_to_json
from flowd.roles.worker.spool import Spool
from tests.roles.worker.reports import a_report, keep
from tests.support.ledger_site import token_of
from tests.support.specs import TOKEN


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """What a full disk does: a write brings a part of it, the next one none."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "event",
    [
        Succeeded(TOKEN, (TaskId("a"),)),
        Failed(TOKEN, timedelta(seconds=1.5), is_retry_allowed=False),
        Rescheduled(TOKEN, timedelta(seconds=7)),
        Deferred(TOKEN, timedelta(seconds=7)),
        Deferred(TOKEN, None),
        Skipped(TOKEN),
        Interrupted(TOKEN),
        Cancelled(TOKEN),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_report_survives_json(event: ReportEvent) -> None:
    report = a_report(1, event, measured=Measured(exit_code=3, error="why"), returned={"a": [1]})

    assert report_from_json(report_to_json(report)) == report


async def test_a_write_that_brought_only_a_part_costs_no_other_report(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    await keep(spool, [a_report(1)])
    with files_no_longer_than((tmp_path / "spool").stat().st_size + 10):
        await keep(spool, [a_report(2)])
    await keep(spool, [a_report(3)])

    assert Spool(tmp_path / "spool").left_behind() == [a_report(1), a_report(3)]


async def test_a_line_that_a_crash_broke_off_does_not_swallow_the_next(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text('{"instance": 1, "lab')

    await keep(Spool(tmp_path / "spool"), [a_report(2)])

    assert Spool(tmp_path / "spool").left_behind() == [a_report(2)]


@pytest.mark.parametrize("line", ["[]", "1" * 5000, "[" * 100_000, '{"event": {"name": "Gone", "token": "a"}}'])
async def test_no_line_keeps_a_worker_from_starting(tmp_path: Path, line: str) -> None:
    spool = Spool(tmp_path / "spool")
    await keep(spool, [a_report(1)])
    with (tmp_path / "spool").open("a") as file:
        file.write(line + "\n")
        endless = report_to_json(a_report(2, Failed(token_of(2), timedelta(0))))
        file.write(str(endless).replace("'", '"').replace("0.0", "1e300").replace("True", "true") + "\n")

    assert Spool(tmp_path / "spool").left_behind() == [a_report(1)]


async def test_a_report_that_is_no_json_costs_no_other_report(tmp_path: Path) -> None:
    await keep(Spool(tmp_path / "spool"), [a_report(1, returned={"a": object()}), a_report(2)])

    assert Spool(tmp_path / "spool").left_behind() == [a_report(2)]


async def test_the_spool_is_emptied_when_the_ledger_has_all_of_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    await keep(spool, [a_report(1), a_report(2)])

    spool.done([a_report(1)])
    assert (tmp_path / "spool").stat().st_size > 0
    spool.done([a_report(2)])
    assert (tmp_path / "spool").stat().st_size == 0


async def test_a_report_outlives_the_process_from_the_moment_that_the_ledger_is_asked(tmp_path: Path) -> None:
    async with Spool(tmp_path / "spool").keeping([a_report(1)]):
        left = Spool(tmp_path / "spool").left_behind()

    assert left == [a_report(1)]


async def test_the_ledgers_failure_passes_through_and_the_report_stays(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Spool(tmp_path / "spool").keeping([a_report(1)]):
            raise ZeroDivisionError

    assert Spool(tmp_path / "spool").left_behind() == [a_report(1)]
