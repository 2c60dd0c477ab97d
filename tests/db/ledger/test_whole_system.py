"""Random runs, two schedulers, three workers of which some die silently: the checker reads the history."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from flowd.actions.clear_tasks import clear_run
from flowd.actions.mark import mark_run, mark_tasks
from flowd.clock import SystemClock
from flowd.domain.dag_run import DagRun
from flowd.domain.errors import MetastoreUnavailable, NotFound
from flowd.domain.lease import LeaseWatch
from flowd.domain.states import RunState, TaskState
from flowd.domain.task_machine import MAX_LOST
from flowd.queue.base import Claimed
from flowd.roles.scheduler.rescuer import Rescuer
from tests.support.checker.check import check
from tests.support.checker.metastore_evidence import read_evidence
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import POLL, LedgerSite
from tests.support.random_dags import POOLS, a_random_dag

RUNS, WORKERS = 36, 3
LEASE = timedelta(milliseconds=150)
DEADLINE_SECONDS = 300.0


@dataclass
class Chaos:
    """Everyone at work on one metastore, each with connections of its own."""

    chance: Random
    schedulers: list[LedgerSite]
    workers: list[LedgerSite]
    user: LedgerSite
    is_over: bool = False

    async def until_over(self, *steps: Callable[[], Awaitable[object]]) -> None:
        while not self.is_over:
            for step in steps:
                # A deadlock that the database resolved: the loop of a role goes on as well.
                with suppress(MetastoreUnavailable):
                    await step()
            await asyncio.sleep(0)

    async def scheduler(self, site: LedgerSite) -> None:
        rescuer = Rescuer(
            site.metastore,
            site.graphs,
            SystemClock(),
            LeaseWatch(patience=timedelta(milliseconds=50), health=timedelta(milliseconds=50)),
            POLL,
            news=site.advancer.ring,
        )
        await self.until_over(site.advancer.step, site.dispatcher.step, site.wait_ender.step, rescuer.step)

    async def worker(self, site: LedgerSite, name: str) -> None:
        claimer = site.worker(name, lease=LEASE)

        async def work() -> None:
            for claimed in await claimer.claim_next(["default"], self.chance.randint(1, 4)):
                await asyncio.sleep(0)
                await self.end(site, claimed)

        await self.until_over(work)

    async def end(self, site: LedgerSite, claimed: Claimed) -> None:
        fate = self.chance.random()
        if fate < 0.06:
            return  # it dies without a word
        if fate < 0.70:
            await site.leave(claimed, [0] * self.chance.randint(0, 3))
            await site.succeed(claimed)
        elif fate < 0.85:
            await site.fail(claimed, is_retry_allowed=self.chance.random() < 0.7)
        elif fate < 0.95:
            await site.skip(claimed)
        else:
            await site.worker().give_up([claimed])
        if self.chance.random() < 0.1:
            await site.succeed(claimed)  # said twice

    async def meddle(self, runs: list[DagRun]) -> None:
        run = self.chance.choice(runs)
        fate = self.chance.random()
        if fate < 0.5:
            await clear_run(self.user.backends, run.dag_id, run.run_id, only_failed=self.chance.random() < 0.5)
        elif fate < 0.8 and (places := await self.user.places(run)):
            state = self.chance.choice([TaskState.SUCCESS, TaskState.FAILED])
            # It may expand in between: then there is no such instance any more.
            with suppress(NotFound):
                chosen = [self.chance.choice(places)]
                await mark_tasks(self.user.backends, run.dag_id, run.run_id, chosen, state)
        else:
            await mark_run(self.user.backends, run.dag_id, run.run_id, self.chance.choice(list(MARKS)))


MARKS = (RunState.SUCCESS, RunState.FAILED, RunState.QUEUED)


async def test_whatever_happens_the_invariants_hold(open_server_site: OpenSite) -> None:
    seed = Random().randrange(10**9)
    chance = Random(seed)
    sites = [open_server_site() for _ in range(2 + WORKERS + 1)]
    chaos = Chaos(chance, schedulers=sites[:2], workers=sites[2:-1], user=sites[-1])
    for name, slots in POOLS.items():
        await chaos.user.set_pool(name, slots)
    specs = [a_random_dag(chance, number) for number in range(6)]
    await chaos.user.put(*specs)
    runs = [await chaos.user.trigger(chance.choice(specs).dag_id) for _ in range(RUNS)]

    async with asyncio.TaskGroup() as group:
        for site in chaos.schedulers:
            group.create_task(chaos.scheduler(site))
        for number, site in enumerate(chaos.workers):
            group.create_task(chaos.worker(site, f"worker{number}"))
        for _ in range(15):
            await chaos.meddle(runs)
            await asyncio.sleep(0.05)
        i9 = await all_ended(chaos.user)
        chaos.is_over = True
    await chaos.user.advance()

    told = f"seed {seed}"
    assert i9 == [], f"{told}: I9: runs that never ended: {i9}"
    assert check(await read_evidence(chaos.user.metastore)) == [], told
    await check_losses(chaos.user, told)


async def all_ended(site: LedgerSite) -> list[object]:
    """Wait until every run has ended, and return those that have not when the time is up."""
    until = time.monotonic() + DEADLINE_SECONDS
    while left := await site.rows(
        "SELECT id, dag_id, state, unfinished FROM dag_run WHERE state NOT IN ('success', 'failed')"
    ):
        if time.monotonic() > until:
            stuck = await site.rows(
                "SELECT t.run, t.task_id, t.state, t.needs_propagation FROM task_instance t"
                " JOIN dag_run d ON d.id = t.run WHERE d.state NOT IN ('success', 'failed')"
            )
            return [*left, *stuck]
        await asyncio.sleep(0.05)
    return []


async def check_losses(site: LedgerSite, told: str) -> None:
    lost = Counter(key for (key,) in await site.rows("SELECT instance FROM task_transition WHERE cause = 'lost'"))
    cleared = Counter(key for (key,) in await site.rows("SELECT instance FROM task_transition WHERE cause = 'cleared'"))
    too_often = {key: count for key, count in lost.items() if count > (MAX_LOST + 1) * (cleared[key] + 1)}
    assert too_often == {}, f"{told}: instances that outlived too many workers"
