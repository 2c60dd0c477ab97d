"""Leases: prolonged while their token stands, seen when they have expired, and asked about before a write."""

from datetime import timedelta

from flowd.db.ledger import lease, read, write
from flowd.domain.ids import InstanceKey
from flowd.domain.task_events import CancelRequested, Cleared, TaskEvent
from flowd.queue.base import Claimed
from tests.support.ledger_site import LEASE, LedgerSite, token_of
from tests.support.specs import a_dag, a_task

HOUR = timedelta(hours=1)


async def happen(site: LedgerSite, key: InstanceKey, event: TaskEvent) -> None:
    async with site.metastore.transaction() as tx:
        held = await read.instances(tx, [key])
        await write.apply(tx, [(held[key], event)], await tx.now())


async def prolong(site: LedgerSite, *claims: Claimed, length: timedelta = HOUR) -> dict[InstanceKey, lease.Kept]:
    async with site.metastore.transaction() as tx:
        return await lease.prolong(tx, {one.assignment.instance: one.token for one in claims}, length)


async def expired(site: LedgerSite) -> dict[InstanceKey, int]:
    async with site.metastore.reading() as tx:
        return {one.key: one.heartbeats for one in await lease.expired(tx, limit=10)}


async def test_a_heartbeat_prolongs_what_stands_and_does_not_answer_for_what_is_fenced(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("kept"), a_task("cleared"), a_task("ended")))
    claims = await site.claim()
    await happen(site, claims["cleared"].assignment.instance, Cleared(0))
    await site.succeed(claims["ended"])
    before = await site.instance(run, "kept")

    kept = await prolong(site, *claims.values())

    key = claims["kept"].assignment.instance
    assert kept == {key: lease.Kept(token=claims["kept"].token, is_cancel_requested=False)}
    after = await site.instance(run, "kept")
    assert after.lease_until is not None and before.lease_until is not None
    assert HOUR - LEASE <= after.lease_until - before.lease_until < HOUR
    assert after.version == before.version


async def test_a_heartbeat_under_another_token_prolongs_nothing(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    key = (await site.claim())["load"].assignment.instance
    before = await site.instance(run, "load")

    async with site.metastore.transaction() as tx:
        kept = await lease.prolong(tx, {key: token_of(1)}, HOUR)

    assert kept == {}
    assert await site.instance(run, "load") == before


async def test_a_wish_to_cancel_travels_with_the_heartbeat(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    claimed = (await site.claim())["load"]
    await happen(site, claimed.assignment.instance, CancelRequested())

    kept = await prolong(site, claimed)
    await site.die_cancelled(claimed)

    assert kept[claimed.assignment.instance].is_cancel_requested
    assert await site.states(run) == {"load": "failed"}


async def test_an_expired_lease_is_seen_with_its_heartbeats_until_it_is_prolonged(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("silent"), a_task("alive")))
    silent = await site.claim(1, lease=timedelta(0))
    await site.claim(1)
    (claimed,) = silent.values()
    key = claimed.assignment.instance
    await site.pass_time(timedelta(milliseconds=5))

    first = await expired(site)
    await prolong(site, claimed, length=timedelta(0))
    await site.pass_time(timedelta(milliseconds=5))
    second = await expired(site)
    await prolong(site, claimed)

    assert (first, second, await expired(site)) == ({key: 0}, {key: 1}, {})


async def test_a_new_try_begins_to_count_its_heartbeats_anew(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("load")))
    claimed = (await site.claim())["load"]
    await prolong(site, claimed)
    await site.worker().give_up([claimed])
    await site.wait_ender.step()
    await site.settle()
    await site.claim()

    assert await site.rows("SELECT heartbeats FROM task_instance") == [(0,)]


async def test_a_token_stands_only_while_its_try_runs(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("load")))
    claimed = (await site.claim())["load"]
    key = claimed.assignment.instance

    async def standing() -> list[bool]:
        async with site.metastore.transaction() as tx:
            return [await lease.standing(tx, key, token) for token in (claimed.token, token_of(1))]

    before = await standing()
    await site.succeed(claimed)

    assert (before, await standing()) == ([True, False], [False, False])


async def test_a_worker_finds_what_its_predecessor_of_the_same_name_held(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("a"), a_task("b")))
    mine = await site.worker("mine").claim_next(["default"], 1)
    await site.worker("other").claim_next(["default"], 1)

    async with site.metastore.reading() as tx:
        held = await lease.held_by(tx, "mine")

    assert held == {one.assignment.instance: one.token for one in mine}
