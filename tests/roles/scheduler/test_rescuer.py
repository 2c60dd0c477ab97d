"""Rescuer: gives up a silent worker's leases when LeaseWatch says so, and not a moment earlier."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from flowd.clock import SystemClock
from flowd.db.ledger import lease
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.errors import IllegalTransition
from flowd.domain.ids import RunKey
from flowd.domain.lease import LeaseWatch
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_machine import MAX_LOST
from flowd.domain.task_spec import OnLost, TaskSpec
from flowd.queue.base import Claimed
from flowd.roles.scheduler.rescuer import Rescuer
from tests.support.ledger_site import LEASE, POLL, LedgerSite
from tests.support.specs import a_dag, a_task

PATIENCE, HEALTH = timedelta(seconds=20), timedelta(seconds=60)
AT_ONCE = RetryPolicy(delay=timedelta(0))


class HandClock(SystemClock):
    """A monotonic clock that somebody else moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class LateHeartbeat(Metastore):
    """A metastore whose next write is preceded by a heartbeat of `claimed`, as if a worker had come back just then."""

    claimed: Claimed | None = None

    @asynccontextmanager
    async def transaction(self, *, is_brief: bool = False) -> AsyncIterator[Transaction]:
        if self.claimed is not None:
            held, self.claimed = {self.claimed.assignment.instance: self.claimed.token}, None
            async with super().transaction(is_brief=is_brief) as tx:
                await lease.prolong(tx, held, LEASE)
        async with super().transaction(is_brief=is_brief) as tx:
            yield tx


@dataclass
class Watched:
    """A rescuer with a clock of its own, and what it has told."""

    site: LedgerSite
    clock: HandClock = field(default_factory=HandClock)
    told: list[RunKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        watch = LeaseWatch(patience=PATIENCE, health=HEALTH)
        self.rescuer = Rescuer(self.site.metastore, self.site.graphs, self.clock, watch, POLL, news=self.hear)

    def hear(self, runs: Iterable[RunKey]) -> None:
        self.told += runs

    async def look(self, seconds_later: float = 0) -> None:
        self.clock.seconds += seconds_later
        await self.rescuer.step()

    async def give_up(self) -> None:
        """Wait for as long as it takes to give up what has expired now."""
        await self.look()
        await self.look(HEALTH.total_seconds())


@pytest.fixture
def watched(site: LedgerSite) -> Watched:
    return Watched(site)


async def silent(site: LedgerSite, task: TaskSpec | None = None) -> Claimed:
    """A running try whose lease is over."""
    await site.begin(a_dag(task or a_task("load", retry=AT_ONCE)))
    claimed = (await site.claim())["load"]
    await site.pass_time(LEASE)
    return claimed


async def state(site: LedgerSite) -> str:
    ((found,),) = await site.rows("SELECT state FROM task_instance")
    return str(found)


async def test_an_expired_lease_is_given_up_after_health_and_patience(watched: Watched) -> None:
    await silent(watched.site)

    await watched.look()
    await watched.look(HEALTH.total_seconds() - 1)
    before = await state(watched.site)
    await watched.look(1)

    assert (before, await state(watched.site)) == ("running", "up_for_retry")
    assert len(watched.told) == 1


async def test_a_lease_that_expires_later_is_watched_for_its_own_patience(watched: Watched) -> None:
    await watched.look()
    watched.clock.seconds += 1000
    await silent(watched.site)

    await watched.look()
    await watched.look(PATIENCE.total_seconds() - 1)
    before = await state(watched.site)
    await watched.look(1)

    assert (before, await state(watched.site)) == ("running", "up_for_retry")


async def test_a_lease_that_still_runs_is_never_touched(watched: Watched) -> None:
    await watched.site.begin(a_dag(a_task("load")))
    await watched.site.claim()

    await watched.give_up()

    assert await state(watched.site) == "running"
    assert watched.told == []


async def test_a_heartbeat_that_comes_late_saves_the_try(watched: Watched) -> None:
    claimed = await silent(watched.site)
    await watched.look()
    async with watched.site.metastore.transaction() as tx:
        await lease.prolong(tx, {claimed.assignment.instance: claimed.token}, timedelta(0))

    await watched.look(HEALTH.total_seconds())

    assert await state(watched.site) == "running"


async def test_a_heartbeat_that_comes_between_the_last_look_and_the_giving_up_saves_the_try(
    site: LedgerSite,
) -> None:
    claimed = await silent(site)
    late = LateHeartbeat(site.metastore.url.render_as_string(hide_password=False))
    watched = Watched(replace(site, metastore=late))
    await watched.look()
    late.claimed = claimed

    await watched.look(HEALTH.total_seconds())

    assert late.claimed is None
    assert await state(site) == "running"
    await late.close()


async def test_the_silent_worker_is_fenced_and_its_try_given_back(watched: Watched) -> None:
    site = watched.site
    claimed = await silent(site)

    await watched.give_up()
    late = await site.succeed(claimed)
    await site.wait_ender.step()
    order = await site.work()

    assert isinstance(late, IllegalTransition)
    assert order == ["load"]
    assert await site.rows("SELECT cause FROM attempt ORDER BY try_number") == [("lost",), ("succeeded",)]


async def test_a_task_that_outlives_too_many_workers_fails(watched: Watched) -> None:
    site = watched.site
    run = await site.begin(a_dag(a_task("load", retry=RetryPolicy(retries=99, delay=timedelta(0)))))
    for _ in range(MAX_LOST + 1):
        await site.claim()
        await site.pass_time(LEASE)
        await watched.give_up()
        await site.wait_ender.step()
        await site.settle()

    assert (await site.run_state(run), await site.states(run)) == ("failed", {"load": "failed"})
    assert (await site.causes(run, "load")).count("lost") == MAX_LOST + 1


async def test_a_task_that_may_run_at_most_once_fails_with_its_first_worker(watched: Watched) -> None:
    await silent(watched.site, a_task("load", on_lost=OnLost.FAIL, retry=RetryPolicy(retries=3)))

    await watched.give_up()

    assert await state(watched.site) == "failed"


async def test_a_lease_that_cannot_be_given_up_keeps_no_other_from_it(watched: Watched) -> None:
    site = watched.site
    await site.begin(a_dag(a_task("load", retry=AT_ONCE), dag_id="bad"))
    await site.begin(a_dag(a_task("load", retry=AT_ONCE), dag_id="good"))
    await site.worker().claim_next(["default"], 9)
    await site.pass_time(LEASE)
    await site.change("UPDATE task_instance SET skips = '[' WHERE dag_id = 'bad'")

    await watched.give_up()

    assert await site.rows("SELECT dag_id, state FROM task_instance ORDER BY dag_id") == [
        ("bad", "running"),
        ("good", "up_for_retry"),
    ]


async def test_a_lost_try_of_a_task_that_its_run_no_longer_has_ends_as_removed(watched: Watched) -> None:
    site = watched.site
    await silent(site)
    await site.put(a_dag(a_task("other")))
    await site.change("UPDATE dag_run SET dag_version = (SELECT version FROM dag)")

    await watched.give_up()
    await site.work()
    await site.advance()

    assert await state(site) == "removed"
