"""Callbacks that are due: one for each end of a run, whoever was slow to call the one before."""

from datetime import timedelta
from typing import Any

import pytest

from flowd.actions.clear_tasks import clear_run
from flowd.actions.mark import mark_run
from flowd.db.ledger import callbacks
from flowd.db.ledger.callbacks import DueCallback
from flowd.domain.dag_run import DagRun
from flowd.domain.states import RunState
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

PATIENCE = timedelta(minutes=9)


async def ended(site: LedgerSite) -> DagRun:
    run = await site.begin(a_dag(a_task("a"), has_run_callbacks=True))
    await site.work()
    return run


async def take(site: LedgerSite) -> list[DueCallback]:
    async with site.metastore.transaction() as tx:
        return await callbacks.take(tx, for_at_most=PATIENCE, limit=8)


async def done(site: LedgerSite, due: DueCallback) -> None:
    async with site.metastore.transaction() as tx:
        await callbacks.done(tx, due)


async def due(site: LedgerSite) -> list[Any]:
    return await site.rows("SELECT state FROM dag_run WHERE callback_due_at IS NOT NULL")


async def test_one_that_was_called_is_due_no_more(site: LedgerSite) -> None:
    await ended(site)

    (taken,) = await take(site)
    again = await take(site)
    await done(site, taken)

    assert (taken.state, again, await due(site)) == ("success", [], [])


async def test_the_end_of_a_slow_call_erases_no_later_end_of_its_run(site: LedgerSite) -> None:
    run = await ended(site)
    (first,) = await take(site)
    await clear_run(site.backends, run.dag_id, run.run_id)
    await site.work()

    await done(site, first)
    (second,) = await take(site)
    await done(site, first)

    assert (second.run, await due(site)) == (run.key, [("success",)])


@pytest.mark.parametrize("by", ["clearing", "marking"])
async def test_a_run_that_goes_on_before_it_was_called_back_is_not_called_back_while_it_lives(
    site: LedgerSite, by: str
) -> None:
    run = await ended(site)

    if by == "clearing":
        await clear_run(site.backends, run.dag_id, run.run_id)
    else:
        await mark_run(site.backends, run.dag_id, run.run_id, RunState.QUEUED)

    assert await take(site) == []
