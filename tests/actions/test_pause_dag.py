"""set_paused: a paused DAG starts nothing; unpausing wakes what has waited."""

import pytest

from flowd.actions.pause_dag import set_paused
from flowd.domain.errors import NotFound
from flowd.domain.ids import DagId
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.paper_queue import PaperQueue
from tests.support.specs import a_dag, a_task


async def test_a_pause_starts_nothing_and_ends_nothing(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"])))
    claimed = (await site.claim())["a"]

    await set_paused(site.backends, run.dag_id, True)
    queued = await site.trigger()
    await site.succeed(claimed)
    order = await site.work()

    assert (order, await site.run_state(queued)) == ([], "queued")
    assert await site.states(run) == {"a": "success", "b": "scheduled"}


async def test_unpausing_rings_for_every_live_run(open_site: OpenSite) -> None:
    broker = PaperQueue()
    site = open_site(broker=broker)
    await site.begin(a_dag(a_task("a")))
    await site.work()
    await set_paused(site.backends, DagId("etl"), True)
    waiting = [await site.trigger(), await site.trigger()]
    broker.rung.clear()

    await set_paused(site.backends, DagId("etl"), False)

    assert broker.rung == [[run.key for run in waiting]]


async def test_an_unknown_dag_cannot_be_paused(site: LedgerSite) -> None:
    with pytest.raises(NotFound, match=r"^The Dag with ID: `no` was not found$"):
        await set_paused(site.backends, DagId("no"), True)
