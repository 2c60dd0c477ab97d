"""Reporter: every report reaches the ledger once, and none hinders another."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from flowd.db.ledger.write import Measured
from flowd.domain.task_events import Failed
from flowd.queue.base import Claimed
from flowd.roles.worker.report import Report
from flowd.roles.worker.spool import SPOOL, Spool
from tests.roles.worker.reports import keep, report_on, reporting
from tests.support.ledger_site import LedgerSite, token_of
from tests.support.paper_queue import PaperQueue
from tests.support.specs import a_dag, a_task

BAD_REPORTS: dict[str, Callable[[Claimed], Report]] = {
    "a value that is no JSON": lambda one: report_on(one, returned={"return_value": object()}),
    "a text that no database holds": lambda one: report_on(one, measured=Measured(error="\udcff \0")),
}


async def attempts(site: LedgerSite) -> dict[str, tuple[str, str | None]]:
    found = await site.rows(
        "SELECT t.task_id, a.cause, a.error FROM attempt a JOIN task_instance t ON t.id = a.instance"
    )
    return {task_id: (cause, error) for task_id, cause, error in found}


@pytest.mark.parametrize("kind", BAD_REPORTS)
async def test_a_report_that_cannot_be_stored_fails_its_own_try_alone(
    site: LedgerSite, tmp_path: Path, kind: str
) -> None:
    run = await site.begin(a_dag(a_task("good"), a_task("bad")))
    claims = await site.claim()
    async with reporting(site, tmp_path) as reporter:
        answers = await asyncio.gather(
            reporter.report(report_on(claims["good"])), reporter.report(BAD_REPORTS[kind](claims["bad"]))
        )

    assert list(answers) == [True, True]
    assert await site.states(run) == {"good": "success", "bad": "failed"}
    assert "cannot be stored" in str((await attempts(site))["bad"][1])
    assert (tmp_path / SPOOL).stat().st_size == 0


async def test_a_value_with_halves_of_characters_is_stored(site: LedgerSite, tmp_path: Path) -> None:
    run = await site.begin(a_dag(a_task("list")))
    claimed = (await site.claim())["list"]

    async with reporting(site, tmp_path) as reporter:
        assert await reporter.report(report_on(claimed, returned={"return_value": ["caf\udce9.csv", "a\0b"]}))

    assert await site.states(run) == {"list": "success"}
    assert len(await site.rows("SELECT name FROM xcom")) == 1


async def test_a_replay_of_what_cannot_be_stored_goes_on_and_empties_the_spool(
    site: LedgerSite, tmp_path: Path
) -> None:
    run = await site.begin(a_dag(a_task("good"), a_task("bad")))
    claims = await site.claim()
    left = Spool(tmp_path / SPOOL)
    await keep(left, [report_on(claims["bad"], measured=Measured(error="\udcff")), report_on(claims["good"])])
    left.close()

    async with reporting(site, tmp_path) as reporter:
        # Answered after the replay, for the replay comes first.
        assert not await reporter.report(report_on(claims["good"], Failed(claims["good"].token, timedelta(0))))

    assert await site.states(run) == {"good": "success", "bad": "failed"}
    assert (tmp_path / SPOOL).stat().st_size == 0


async def test_a_report_whose_commit_was_not_answered_counts_and_rings(site: LedgerSite, tmp_path: Path) -> None:
    await site.begin(a_dag(a_task("load")))
    claimed, doorbell = (await site.claim())["load"], PaperQueue()
    async with reporting(site, tmp_path, doorbell) as reporter:
        first = await reporter.report(report_on(claimed))
        again = await reporter.report(report_on(claimed))
        late = await reporter.report(report_on(claimed, Failed(claimed.token, timedelta(0))))

    assert (first, again, late) == (True, True, False)
    assert [bool(runs) for runs in doorbell.rung] == [True, True, False]


async def test_the_name_of_a_map_index_is_kept_with_every_end_that_counts(site: LedgerSite, tmp_path: Path) -> None:
    await site.begin(a_dag(a_task("good"), a_task("bad"), a_task("none")))
    claims = await site.claim()
    async with reporting(site, tmp_path) as reporter:
        await reporter.report(report_on(claims["good"], rendered_map_index="a"))
        failed = Failed(claims["bad"].token, timedelta(0))
        await reporter.report(report_on(claims["bad"], failed, rendered_map_index="b"))
        await reporter.report(report_on(claims["none"]))
        await reporter.report(report_on(claims["none"], Failed(token_of(7), timedelta(0)), rendered_map_index="fenced"))

    found = await site.rows("SELECT task_id, rendered_map_index FROM task_instance ORDER BY task_id")
    assert found == [("bad", "b"), ("good", "a"), ("none", None)]
