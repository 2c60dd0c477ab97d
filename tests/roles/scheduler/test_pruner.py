"""The Pruner deletes finished runs older than the retention, and never anything that lives."""

import asyncio
from datetime import timedelta

import pytest

from flowd.roles.scheduler.pruner import Pruner
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

MONTH = timedelta(days=30)


async def age(site: LedgerSite, length: timedelta) -> None:
    """Let every run have begun and ended that much earlier."""
    async with site.metastore.transaction() as tx:
        await tx.execute(
            "UPDATE dag_run SET queued_at = queued_at - :length, ended_at = ended_at - :length",
            {"length": length // timedelta(microseconds=1)},
        )


async def runs_left(site: LedgerSite) -> set[str]:
    return {run_id for (run_id,) in await site.rows("SELECT run_id FROM dag_run")}


@pytest.mark.parametrize(("retention", "left"), [(MONTH, {"live", "young"}), (None, {"live", "old", "young"})])
async def test_only_finished_runs_older_than_the_retention_go(
    site: LedgerSite, retention: timedelta | None, left: set[str]
) -> None:
    await site.put(a_dag(a_task("load")))
    await site.trigger(run_id="old")
    await site.work()
    await site.trigger(run_id="live")
    await age(site, 2 * MONTH)
    await site.trigger(run_id="young")

    await Pruner(site.metastore, retention).prune()

    assert await runs_left(site) == left


async def test_its_timer_ends_with_it(site: LedgerSite) -> None:
    pruner = asyncio.create_task(Pruner(site.metastore, MONTH).run())
    await asyncio.sleep(0)
    pruner.cancel()

    with pytest.raises(asyncio.CancelledError):
        await pruner
