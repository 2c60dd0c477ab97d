"""Random runs, two schedulers and three workers, some of which die silently: what must hold is read off the history."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from flowd.actions.clear_tasks import clear_run
from flowd.actions.mark import mark_run, mark_tasks
from flowd.clock import SystemClock
from flowd.domain.dag_run import DagRun
from flowd.domain.dag_spec import DagSpec
from flowd.domain.errors import MetastoreUnavailable
from flowd.domain.ids import UNMAPPED, TaskId
from flowd.domain.lease import LeaseWatch
from flowd.domain.retry import RetryPolicy
from flowd.domain.states import FINISHED, RunState, TaskState
from flowd.domain.task_machine import MAX_LOST
from flowd.domain.task_spec import TaskSpec
from flowd.domain.trigger_rules import TriggerRule
from flowd.domain.work import NoWork
from flowd.queue.base import Claimed
from flowd.roles.scheduler.rescuer import Rescuer
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import POLL, LedgerSite
from tests.support.limits_in_history import holders_over_time, most_held
from tests.support.specs import a_dag, a_task

RUNS, WORKERS = 36, 3
LEASE = timedelta(milliseconds=150)
DEADLINE_SECONDS = 25.0
POOLS = {"default_pool": 9, "small": 2}
RULES = [TriggerRule.ALL_SUCCESS, TriggerRule.ALL_DONE, TriggerRule.NONE_FAILED, TriggerRule.ONE_SUCCESS]


def a_random_dag(chance: Random, number: int) -> DagSpec:
    tasks: list[TaskSpec] = []
    for n in range(chance.randint(2, 9)):
        above = chance.sample([one.task_id for one in tasks], k=min(len(tasks), chance.randint(0, 3)))
        task = a_task(
            f"t{n}",
            after=above,
            trigger_rule=chance.choice(RULES),
            retry=RetryPolicy(retries=chance.randint(0, 2), delay=timedelta(0)),
            pool=chance.choice(list(POOLS)),
            pool_slots=chance.choice([1, 1, 2]),
            priority=chance.randint(1, 3),
            max_active_tis_per_dag=chance.choice([None, None, 2]),
        )
        tasks.append(replace(task, work=NoWork()) if chance.random() < 0.15 else task)
    return a_dag(
        *tasks, dag_id=f"dag{number}", max_active_tasks=chance.choice([2, 3, 16]), max_active_runs=chance.randint(2, 4)
    )


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
        elif fate < 0.8 and (tasks := list(await self.user.states(run))):
            chosen = TaskId(self.chance.choice(tasks))
            state = self.chance.choice([TaskState.SUCCESS, TaskState.FAILED])
            await mark_tasks(self.user.backends, run.dag_id, run.run_id, [(chosen, UNMAPPED)], state)
        else:
            await mark_run(self.user.backends, run.dag_id, run.run_id, self.chance.choice(list(MARKS)))


MARKS = (RunState.SUCCESS, RunState.FAILED, RunState.QUEUED)


async def test_whatever_happens_the_invariants_hold(open_postgres_site: OpenSite) -> None:
    seed = Random().randrange(10**9)
    chance = Random(seed)
    sites = [open_postgres_site() for _ in range(2 + WORKERS + 1)]
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
    await check_history(chaos.user, told)
    await check_ends(chaos.user, told)
    await check_limits(chaos.user, specs, told)


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


async def check_history(site: LedgerSite, told: str) -> None:
    rows = await site.rows(
        "SELECT instance, version, from_state, to_state, cause, try_number, token FROM task_transition"
        " ORDER BY instance, version"
    )
    token_of_try: dict[tuple[int, int], str] = {}
    last: dict[int, tuple[int, str, int]] = {}
    for instance, version, source, target, cause, number, token in rows:
        before = last.get(instance, (0, "none", 0))
        assert (version, source) == (before[0] + 1, before[1]), f"{told}: I5: {instance} has a gap at {version}"
        assert number == before[2] + (cause == "queued"), f"{told}: I8: try {number} of {instance} by {cause}"
        if TaskState(source) in FINISHED:
            assert cause in ("cleared", "marked", "released"), f"{told}: I5: {instance} left {source} by {cause}"
        if cause == "claimed":
            assert (instance, number) not in token_of_try, f"{told}: I3: {instance} try {number} was claimed twice"
            token_of_try[instance, number] = token
        elif source == "running":
            assert token == token_of_try[instance, number], f"{told}: I4: {instance} was ended under another token"
        last[instance] = (version, target, number)
    assert len(set(token_of_try.values())) == len(token_of_try), f"{told}: I3: a token was used for two tries"
    now = {
        key: (version, state, number)
        for key, version, state, number in await site.rows(
            "SELECT id, version, state, try_number FROM task_instance WHERE version > 0"
        )
    }
    assert now == last, f"{told}: I5: the instances are not what their history says"


async def check_ends(site: LedgerSite, told: str) -> None:
    unfinished = await site.rows("SELECT id, unfinished FROM dag_run WHERE unfinished <> 0")
    assert unfinished == [], f"{told}: runs that ended with something left to do: {unfinished}"
    open_ones = await site.rows(
        "SELECT id, state FROM task_instance"
        " WHERE state NOT IN ('success', 'failed', 'skipped', 'upstream_failed', 'removed')"
    )
    assert open_ones == [], f"{told}: instances of ended runs that have not ended: {open_ones}"
    lost = Counter(key for (key,) in await site.rows("SELECT instance FROM task_transition WHERE cause = 'lost'"))
    cleared = Counter(key for (key,) in await site.rows("SELECT instance FROM task_transition WHERE cause = 'cleared'"))
    too_often = {key: count for key, count in lost.items() if count > (MAX_LOST + 1) * (cleared[key] + 1)}
    assert too_often == {}, f"{told}: instances that outlived too many workers"


async def check_limits(site: LedgerSite, specs: Iterable[DagSpec], told: str) -> None:
    changes = await holders_over_time(site)
    slots = most_held(changes, by=lambda one: one.pool, weight=lambda one: one.slots)
    over = {pool: held for pool, held in slots.items() if held > POOLS[str(pool)]}
    by_task = most_held(changes, by=lambda one: (one.dag_id, one.task_id))
    by_run = most_held(changes, by=lambda one: (one.dag_id, one.run))
    for spec in specs:
        over |= {name: n for name, n in by_run.items() if name[0] == spec.dag_id and n > spec.max_active_tasks}  # type: ignore[index]
        for task in spec.tasks:
            held, most = by_task.get((spec.dag_id, task.task_id), 0), task.max_active_tis_per_dag
            over |= {task.task_id: held} if most is not None and held > most else {}
    assert over == {}, f"{told}: I7: more was held than the limits allow: {over}"
