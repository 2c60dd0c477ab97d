"""Heartbeat: no lease is lost to a lock, and none is called lost whose report is in already."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from structlog.testing import capture_logs

from flowd.child.keeper_client import Keeper
from flowd.db.ledger import read, write
from flowd.domain.ids import InstanceKey
from flowd.domain.task_events import Cleared
from flowd.domain.work import BashWork
from flowd.queue.base import Claimed
from flowd.roles.worker.attempt import Attempt
from flowd.roles.worker.heartbeat import AGAIN_AFTER, Heartbeat
from tests.child.keeper.launching import KEEPER_ENV, no_answer
from tests.roles.worker.benches import a_bench
from tests.roles.worker.reports import reporting
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LEASE, POLL, LedgerSite
from tests.support.specs import a_dag, a_task

LONG = 10 * LEASE


class Tries:
    """Tries that are held, and what they hear."""

    def __init__(self, *claims: Claimed) -> None:
        self.kept: list[str] = []
        self.lost: list[str] = []
        self.holders = {one.token: _Try(self, one) for one in claims}


class _Try:
    def __init__(self, tries: Tries, claimed: Claimed) -> None:
        self._tries = tries
        self._name = claimed.assignment.task_id
        self.instance = claimed.assignment.instance

    def keep_until(self, fence_at_ns: int) -> None:
        self._tries.kept.append(self._name)

    def lose(self) -> None:
        self._tries.lost.append(self._name)

    def cancel(self) -> None:
        raise AssertionError(f"nobody has cancelled {self._name}")


@asynccontextmanager
async def held_elsewhere(site: LedgerSite, key: InstanceKey) -> AsyncIterator[None]:
    """Hold the row of this instance in a transaction of its own."""
    async with site.metastore.transaction() as tx:
        await read.instances(tx, [key])
        yield


async def lease_of(site: LedgerSite, key: InstanceKey) -> int:
    ((until,),) = await site.rows(f"SELECT lease_until FROM task_instance WHERE id = {key}")
    return int(until)


async def test_a_row_in_use_costs_no_try_its_lease_and_holds_up_no_other(open_server_site: OpenSite) -> None:
    site = open_server_site()
    await site.begin(a_dag(a_task("busy"), a_task("free")))
    claims = await site.claim()
    tries = Tries(*claims.values())
    busy = claims["busy"].assignment.instance
    heartbeat = Heartbeat(site.metastore, tries.holders, POLL, LONG)
    before = await lease_of(site, busy)

    async with held_elsewhere(site, busy), asyncio.timeout(120):
        answer = await heartbeat.step()

    assert (tries.kept, tries.lost, answer) == (["free"], [], AGAIN_AFTER)
    assert await lease_of(site, busy) == before
    assert await heartbeat.step() is False
    assert (sorted(tries.kept), tries.lost) == (["busy", "free", "free"], [])
    assert await lease_of(site, busy) > before


async def test_a_token_that_was_dropped_is_lost(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("cleared"), a_task("free")))
    claims = await site.claim()
    tries = Tries(*claims.values())
    key = claims["cleared"].assignment.instance
    async with site.metastore.transaction() as tx:
        await write.apply(tx, [((await read.instances(tx, [key]))[key], Cleared(0))], await tx.now())

    answer = await Heartbeat(site.metastore, tries.holders, POLL, LONG).step()

    assert (tries.kept, tries.lost, answer) == (["free"], ["cleared"], False)


async def test_a_try_whose_report_is_in_while_its_answer_is_on_the_way_is_not_lost(
    open_sqlite_site: OpenSite, tmp_path: Path
) -> None:
    site = open_sqlite_site()
    await site.begin(a_dag(a_task("load", work=BashWork(script="true"))))
    claimed = (await site.claim())["load"]
    async with reporting(site, tmp_path) as reporter, Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper:
        attempt = Attempt(claimed, a_bench(site.backends, reporter, tmp_path))
        ended = await attempt.run(keeper)
        assert ended is not None and await attempt.report(ended)

        with capture_logs() as logs:
            await Heartbeat(site.metastore, {claimed.token: attempt}, POLL, LONG).step()

    assert logs == []
