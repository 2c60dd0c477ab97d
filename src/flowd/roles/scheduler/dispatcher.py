"""Dispatcher: gives free slots to scheduled instances and pushes their messages to the queue."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from flowd.db.assignments import assignments
from flowd.db.graphs import Graphs
from flowd.db.ledger import advance, dispatch, write
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.admission import Candidate, Occupancy, admit
from flowd.domain.assignment import Assignment
from flowd.domain.graph import Graph
from flowd.domain.ids import DagId, RunKey, TaskId
from flowd.domain.task_events import Queued
from flowd.domain.task_instance import TaskInstance
from flowd.queue.base import Queue
from flowd.roles.bulkhead import one_by_one_in_trouble
from flowd.roles.loop import Bell, Loop

log = structlog.get_logger(__name__)

PER_RUN = 256
"""How many scheduled instances of one run a pass looks at at the most; what is left over is the next pass's."""

MOST_WAITERS = 5_000
"""How many scheduled instances a pass looks at in all: they are locked, and so are the pools, until it is over."""

_NO_LIMIT = 2**31


@dataclass(frozen=True, slots=True)
class _Pass:
    """What one pass has queued, with its messages, and whether it left waiters out for want of time."""

    queued: Sequence[tuple[TaskInstance, Assignment]]
    is_cut: bool


class Dispatcher:
    """Admits under the lock of the pools, commits, and only then publishes.

    Any number may work at once: the pools' lock makes their passes take turns, so that no limit is ever passed.
    `confirmed` is told which tries the broker has the messages of.
    """

    def __init__(
        self,
        metastore: Metastore,
        graphs: Graphs,
        queue: Queue,
        interval: timedelta,
        *,
        scheduled: Bell,
        confirmed: Callable[[Sequence[TaskInstance]], None],
    ) -> None:
        self.loop = Loop("Dispatcher", self.step, interval, scheduled)
        self._metastore = metastore
        self._graphs = graphs
        self._queue = queue
        self._confirmed = confirmed
        self._looked_up_to = RunKey(0)

    async def step(self) -> bool:
        """Admit what fits and publish it; True where another pass may admit more."""
        async with self._metastore.glance() as tx:
            # Most looks find nothing: they must not take the lock of the pools.
            waiting = await dispatch.runs_with_waiters(tx)
        runs = self._in_turn(waiting)
        if not runs:
            return False
        passes = await one_by_one_in_trouble("Dispatcher", runs, self._pass, names=lambda run: {"run": run})
        queued = [pair for one in passes for pair in one.queued]
        if queued:
            await self._publish([instance for instance, _ in queued], [message for _, message in queued])
        # Where a pass saw all that wait, the next has nothing to do until a bell says that something has changed.
        return bool(queued) and (len(runs) < len(waiting) or any(one.is_cut for one in passes))

    def _in_turn(self, waiting: Sequence[RunKey]) -> list[RunKey]:
        """Return the runs of this pass: all or, where they are too many, those behind the last pass's."""
        at = bisect_right(waiting, self._looked_up_to) if len(waiting) > MOST_WAITERS else 0
        runs = [*waiting[at:], *waiting[:at]][:MOST_WAITERS]
        self._looked_up_to = runs[-1] if runs else RunKey(0)
        return runs

    async def _pass(self, runs: Sequence[RunKey]) -> _Pass:
        async with self._metastore.transaction(is_brief=True) as tx:
            queued, unknown, is_cut = await self._admit(tx, runs)
            messages = await assignments(tx, self._graphs, queued)
        if unknown:
            async with self._metastore.transaction(is_brief=True) as tx:
                await advance.flag(tx, unknown)
        return _Pass(list(zip(queued, messages, strict=True)), is_cut)

    async def _publish(self, queued: Sequence[TaskInstance], messages: Sequence[Assignment]) -> None:
        # From here on a crash costs nothing: the Redeliverer rings what was queued and never confirmed.
        confirmed = await self._queue.publish(messages)
        if self._queue.is_ledger:
            return
        sent = [instance for instance, is_confirmed in zip(queued, confirmed, strict=True) if is_confirmed]
        if len(sent) < len(queued):
            log.warning("messages not confirmed; they will be rung again", count=len(queued) - len(sent))
        if sent:
            self._confirmed(sent)

    async def _admit(self, tx: Transaction, runs: Sequence[RunKey]) -> tuple[list[TaskInstance], set[RunKey], bool]:
        """Return what was queued, the runs with a waiter that their version of the DAG has not, and whether it is cut.

        It is where a run may have more waiters than were looked at.
        """
        pools = await dispatch.lock_pools(tx)
        occupancy, versions = await dispatch.occupancy(tx, pools)
        graphs = await self._graphs.get(tx, set(versions.values()))
        by_run = {run: graphs[version] for run, version in versions.items()}
        are_tasks_counted = any(graph.limited_per_dag for graph in graphs.values())
        if are_tasks_counted:
            await dispatch.count_tasks(tx, occupancy)
        per_run = min(_most_admissible(occupancy), max(1, MOST_WAITERS // len(runs)))
        waiters, now = await dispatch.waiters(
            tx,
            free_slots={
                name: size - occupancy.slots_by_pool[name] if size >= 0 else _NO_LIMIT
                for name, size in pools.sizes.items()
            },
            full_runs=_full_runs(occupancy, by_run),
            full_tasks=_full_tasks(occupancy, by_run),
            runs=runs,
            per_run=per_run,
        )
        if not waiters:
            return [], set(), False
        graphs = await self._graphs.get(tx, {waiter.dag_version for waiter in waiters})
        unknown = {one.instance.run for one in waiters if one.instance.task_id not in graphs[one.dag_version].tasks}
        candidates = [
            _candidate(waiter, graphs[waiter.dag_version])
            for waiter in waiters
            if waiter.instance.task_id in graphs[waiter.dag_version].tasks
        ]
        if not are_tasks_counted and any(map(_is_task_limited, candidates)):
            await dispatch.count_tasks(tx, occupancy)
        instances = {waiter.instance.key: waiter.instance for waiter in waiters}
        admitted = [instances[one.key] for one in admit(candidates, occupancy).admitted]
        answers = await write.apply(tx, [(instance, Queued()) for instance in admitted], now)
        queued = [answer for answer in answers if isinstance(answer, TaskInstance)]
        return queued, unknown, max(Counter(one.instance.run for one in waiters).values()) >= per_run


def _candidate(waiter: dispatch.Waiter, graph: Graph) -> Candidate:
    instance, task = waiter.instance, graph.tasks[waiter.instance.task_id]
    if instance.scheduled_at is None:
        raise AssertionError(f"{instance.label} is scheduled without a moment")
    return Candidate(
        key=instance.key,
        run=instance.run,
        dag_id=instance.dag_id,
        task_id=instance.task_id,
        queue=task.queue,
        pool=waiter.pool,
        pool_slots=waiter.pool_slots,
        priority=waiter.priority,
        scheduled_at=instance.scheduled_at,
        max_active_tasks=graph.dag.max_active_tasks,
        max_active_tis_per_dag=task.max_active_tis_per_dag,
        max_active_tis_per_dagrun=task.max_active_tis_per_dagrun,
    )


def _is_task_limited(candidate: Candidate) -> bool:
    return candidate.max_active_tis_per_dag is not None or candidate.max_active_tis_per_dagrun is not None


def _most_admissible(occupancy: Occupancy) -> int:
    """Return how many instances one pass can admit at the most: looking at more would be for nothing."""
    if any(size < 0 for size in occupancy.pool_sizes.values()):
        return PER_RUN
    free = sum(max(0, size - occupancy.slots_by_pool[name]) for name, size in occupancy.pool_sizes.items())
    return min(PER_RUN, free)


def _full_runs(occupancy: Occupancy, graphs: Mapping[RunKey, Graph]) -> set[RunKey]:
    return {run for run, graph in graphs.items() if 0 < graph.dag.max_active_tasks <= occupancy.tasks_by_run[run]}


def _full_tasks(occupancy: Occupancy, graphs: Mapping[RunKey, Graph]) -> Sequence[tuple[DagId, TaskId]]:
    full: set[tuple[DagId, TaskId]] = set()
    for graph in graphs.values():
        for task in graph.limited_per_dag:
            name = (graph.dag.dag_id, task.task_id)
            if occupancy.tasks_by_dag_task[name] >= (task.max_active_tis_per_dag or 0):
                full.add(name)
    return sorted(full)
