"""WaitEnder: what waits for a moment goes on at that moment, a restart once its old process is dead."""

import asyncio
from datetime import timedelta

from flowd.actions.clear_tasks import clear_run
from flowd.db.ledger import restart
from flowd.domain.ids import InstanceKey
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_events import Failed, Rescheduled
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LEASE, LedgerSite
from tests.support.specs import a_dag, a_task

MINUTE = timedelta(minutes=1)
NEVER = timedelta(days=365)
RETRYING = a_dag(a_task("load", retry=RetryPolicy(retries=1)))


async def test_a_retry_waits_for_its_moment_and_no_longer(site: LedgerSite) -> None:
    run = await site.begin(RETRYING)
    claimed = (await site.claim())["load"]
    await site.report(claimed.assignment.instance, Failed(claimed.token, MINUTE))

    pause = await site.wait_ender.step()
    before = await site.states(run)
    await site.pass_time(MINUTE)
    await site.wait_ender.step()

    assert isinstance(pause, timedelta) and MINUTE / 2 < pause <= MINUTE
    assert (before, await site.states(run)) == ({"load": "up_for_retry"}, {"load": "scheduled"})


async def test_a_rescheduled_try_holds_no_slot_and_uses_no_retry(site: LedgerSite) -> None:
    await site.set_pool("default_pool", 1)
    run = await site.begin(a_dag(a_task("sensor", priority=2), a_task("other")))
    sensor = (await site.claim())["sensor"]

    await site.report(sensor.assignment.instance, Rescheduled(sensor.token, MINUTE))
    await site.settle()
    between = await site.states(run)
    await site.pass_time(MINUTE)

    assert between == {"sensor": "up_for_reschedule", "other": "queued"}
    assert await site.work() == ["other", "sensor"]


async def test_without_anything_that_waits_it_sleeps_its_interval(site: LedgerSite) -> None:
    await site.begin(RETRYING)

    assert await site.wait_ender.step() is False


async def test_the_dispatcher_is_woken_when_something_was_scheduled(site: LedgerSite) -> None:
    await site.begin(RETRYING)
    await site.fail((await site.claim())["load"])
    await site.scheduled.wait(0)

    await site.wait_ender.step()

    async with asyncio.timeout(120):
        await site.scheduled.wait(None)


async def test_a_restart_begins_when_the_lease_of_the_old_process_is_over(site: LedgerSite) -> None:
    run = await site.begin(RETRYING)
    await site.claim()
    await clear_run(site.backends, run.dag_id, run.run_id)

    pause = await site.wait_ender.step()
    await site.settle()
    before = await site.states(run)
    await site.pass_time(LEASE)
    order = await site.work()

    assert isinstance(pause, timedelta) and LEASE / 2 < pause <= LEASE
    assert (before, order) == ({"load": "restarting"}, ["load"])
    assert (await site.causes(run, "load"))[3:5] == ["cleared", "released"]


async def test_i10_a_younger_process_is_not_taken_for_dead_with_the_old_one(site: LedgerSite) -> None:
    run = await site.begin(RETRYING)
    await site.claim()
    await clear_run(site.backends, run.dag_id, run.run_id)
    key = (await site.instance(run, "load")).key

    async with site.metastore.transaction() as tx:
        early = await restart.release(tx, [key])

    assert early == []
    assert await site.states(run) == {"load": "restarting"}


async def test_a_worker_that_says_its_process_is_dead_lets_the_restart_begin_at_once(site: LedgerSite) -> None:
    run = await site.begin(RETRYING)
    claimed = (await site.claim())["load"]
    await clear_run(site.backends, run.dag_id, run.run_id)

    async def release(try_number: int) -> list[int]:
        async with site.metastore.transaction() as tx:
            return list(await restart.release(tx, [claimed.assignment.instance], try_number=try_number))

    assert await release(2) == []
    assert await release(1) == [run.key]
    assert await release(1) == []
    assert await site.work() == ["load"]


async def test_of_wait_enders_at_once_each_wait_is_ended_once(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(3)]
    names = [f"t{number}" for number in range(6)]
    run = await sites[0].begin(a_dag(*(a_task(name, retry=RetryPolicy(retries=1)) for name in names)))
    for claimed in (await sites[0].claim()).values():
        await sites[0].fail(claimed)

    await asyncio.gather(*(site.wait_ender.step() for site in sites for _ in range(2)))

    for name in names:
        assert (await sites[0].causes(run, name))[-2:] == ["failed", "scheduled"]
    assert InstanceKey(0) not in [(await sites[0].instance(run, name)).key for name in names]
