"""Deferred instances: who runs what they wait for, and how they go on."""

from datetime import timedelta

import pytest

from flowd.actions.clear_tasks import clear_run
from flowd.db import triggers
from flowd.db.triggers import HeldTrigger, News
from flowd.domain.dag_run import DagRun
from flowd.domain.deferral import Deferral, Resume, TriggerSpec
from flowd.domain.ids import ClaimToken, RunKey
from flowd.queue.base import Claimed
from tests.support.ledger_site import BUNDLE, LEASE, LedgerSite
from tests.support.specs import a_dag, a_task

MINUTE = timedelta(minutes=1)
TRIGGER = TriggerSpec(classpath="lib.Trigger", kwargs={"rows": 3}, file="etl.py", is_in_bundle=False)
OTHERWISE = Resume(method="done", kwargs={"word": "hello"}, is_timeout=True)
DEFERRAL = Deferral(otherwise=OTHERWISE, trigger=TRIGGER)


async def deferred(
    site: LedgerSite, deferral: Deferral = DEFERRAL, wait: timedelta | None = None
) -> tuple[DagRun, Claimed]:
    run = await site.begin(a_dag(a_task("load")))
    claimed = (await site.claim())["load"]
    await site.defer(claimed, deferral, wait)
    return run, claimed


async def hold(site: LedgerSite, worker: str, *, limit: int = 10) -> list[HeldTrigger]:
    async with site.metastore.transaction() as tx:
        return await triggers.hold(tx, worker, LEASE, limit=limit)


async def settle(site: LedgerSite, token: ClaimToken, news: News) -> RunKey | None:
    async with site.metastore.transaction() as tx:
        return await triggers.settle(tx, token, news)


async def go_on(site: LedgerSite) -> Claimed:
    await site.wait_ender.step()
    await site.settle()
    return (await site.claim())["load"]


async def test_an_event_lets_the_try_go_on_in_its_next_leg_once(site: LedgerSite) -> None:
    run, claimed = await deferred(site)

    answers = [await settle(site, claimed.token, News(event={"n": number})) for number in (1, 2)]
    resumed = (await go_on(site)).assignment

    assert answers == [run.key, None]
    assert (resumed.try_number, resumed.leg) == (1, 1)
    assert resumed.resume == Resume(method="done", kwargs={"word": "hello"}, event={"n": 1})


async def test_what_ends_the_task_or_went_wrong_is_told_too(site: LedgerSite) -> None:
    _, claimed = await deferred(site)
    await settle(site, claimed.token, News(failure="RuntimeError"))
    second = await go_on(site)
    assert second.assignment.resume == Resume(method="done", kwargs={"word": "hello"}, failure="RuntimeError")

    await site.defer(second, DEFERRAL)
    await settle(site, second.token, News(ends_as="success", xcoms={"rows": 3}))

    resume = (await go_on(site)).assignment.resume
    assert resume is not None and (resume.ends_as, resume.xcoms) == ("success", {"rows": 3})


async def test_when_its_time_is_over_it_goes_on_otherwise_and_an_event_comes_too_late(site: LedgerSite) -> None:
    _, claimed = await deferred(site, wait=MINUTE)
    await site.pass_time(MINUTE)

    await site.wait_ender.step()

    assert await settle(site, claimed.token, News(event=1)) is None
    assert (await go_on(site)).assignment.resume == OTHERWISE


async def test_a_try_after_the_deferred_one_begins_anew(site: LedgerSite) -> None:
    _, claimed = await deferred(site)
    await settle(site, claimed.token, News(event=1))
    await site.fail(await go_on(site))
    run = await site.begin(a_dag(a_task("load")))

    assert (await site.claim())["load"].assignment.resume is None
    assert run.run_id


async def test_a_trigger_is_run_by_one_worker_until_its_lease_is_over_or_given_back(site: LedgerSite) -> None:
    _, claimed = await deferred(site)
    held = HeldTrigger(token=claimed.token, trigger=TRIGGER, bundle=None)

    assert await hold(site, "a") == [held]
    assert await hold(site, "b") == []
    await site.pass_time(LEASE / 2)
    assert await hold(site, "a") == [held], "which prolongs it"
    await site.pass_time(LEASE * 3 / 4)
    assert await hold(site, "b") == []
    await site.pass_time(LEASE / 2)
    assert await hold(site, "b") == [held], "the first has fallen silent"
    assert await hold(site, "a") == []
    async with site.metastore.transaction() as tx:
        await triggers.give_back(tx, "b")
    assert await hold(site, "a") == [held]


async def test_a_worker_keeps_its_own_before_it_takes_more(site: LedgerSite) -> None:
    tasks = [a_task(f"t{number}") for number in range(4)]
    await site.begin(a_dag(*tasks))
    claims = await site.claim()
    for name in ("t2", "t3"):
        await site.defer(claims[name], DEFERRAL)
    own = await hold(site, "a", limit=2)
    for name in ("t0", "t1"):
        await site.defer(claims[name], DEFERRAL)

    assert await hold(site, "a", limit=2) == own
    assert {one.token for one in await hold(site, "b")} == {claims[name].token for name in ("t0", "t1")}


async def test_the_bundle_is_that_of_the_run_where_the_class_is_in_it(site: LedgerSite) -> None:
    trigger = TriggerSpec(classpath="own.Trigger", kwargs={}, file="etl.py")
    await deferred(site, Deferral(otherwise=OTHERWISE, trigger=trigger))

    assert [one.bundle for one in await hold(site, "a")] == [BUNDLE]


async def test_what_needs_no_trigger_is_given_to_nobody(site: LedgerSite) -> None:
    await deferred(site, Deferral(otherwise=Resume(method="done", event=1)), wait=MINUTE)

    async with site.metastore.reading() as tx:
        assert not await triggers.is_any(tx)
    assert await hold(site, "a") == []
    await site.pass_time(MINUTE)
    assert (await go_on(site)).assignment.resume == Resume(method="done", event=1)


@pytest.mark.parametrize("is_run_by", [None, "a"])
async def test_the_trigger_of_a_cleared_instance_is_run_no_longer(site: LedgerSite, is_run_by: str | None) -> None:
    run, claimed = await deferred(site)
    if is_run_by:
        await hold(site, is_run_by)

    await clear_run(site.backends, run.dag_id, run.run_id)

    assert await settle(site, claimed.token, News(event=1)) is None
    assert await hold(site, "a") == []
    async with site.metastore.reading() as tx:
        assert not await triggers.is_any(tx)
