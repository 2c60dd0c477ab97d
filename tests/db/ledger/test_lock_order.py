"""Whoever waits for a row holds nothing that the row's holder still needs to change it."""

import asyncio

from flowd.db.ledger import advance, read, write
from flowd.domain.ids import UNMAPPED, TaskId
from flowd.domain.task_events import Succeeded
from tests.support.ledger_fixtures import OpenSite
from tests.support.specs import a_dag, a_task

SETTLING_SECONDS = 0.3
"""Long enough for a statement to come to the row it must wait for; were it too short, nothing would fail."""

MANY = 200
"""So many instances that the database finds one among them by an index."""


async def test_a_report_does_not_deadlock_with_an_advancer_that_waits_for_its_row(open_server_site: OpenSite) -> None:
    site = open_server_site()
    run = await site.begin(a_dag(a_task("load"), *(a_task(f"after{n}", after=["load"]) for n in range(MANY))))
    claimed = (await site.claim())["load"]
    key = claimed.assignment.instance

    async def wait_for_the_row() -> None:
        async with site.metastore.transaction() as tx:
            await advance.standings(tx, [(run.key, TaskId("load"), UNMAPPED)])

    async with site.metastore.transaction() as tx:
        held, now = await read.hold(tx, [key])
        waiting = asyncio.ensure_future(wait_for_the_row())
        done, _ = await asyncio.wait({waiting}, timeout=SETTLING_SECONDS)
        assert not done
        await write.apply(tx, [(held[key], Succeeded(claimed.token))], now)
    await waiting

    assert (await site.states(run))["load"] == "success"
