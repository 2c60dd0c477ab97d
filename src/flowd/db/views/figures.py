"""Figures: what `/metrics` tells of the whole cluster, read from indexes of live and recent rows alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from flowd.db.moments import to_db
from flowd.db.nodes import seen_lately
from flowd.db.tables import dag_run, import_error, task_instance
from flowd.db.transaction import Transaction
from flowd.db.views.health import Heartbeat, LiveCounts, heartbeats, live_counts
from flowd.db.views.listing import Listing, Order
from flowd.db.views.live_states import is_one_of, is_state
from flowd.db.views.pools import PoolView, list_pools
from flowd.db.views.task_queues import QueueView, list_queues
from flowd.db.views.workers import WorkerState, state_of
from flowd.domain.states import WAITING, RunState, TaskState

RECENT = timedelta(minutes=5)
"""How long a run that has ended is told of."""

_LIVE_RUNS = (RunState.QUEUED, RunState.RUNNING)
_HELD = (TaskState.SCHEDULED, TaskState.QUEUED, TaskState.RUNNING)


@dataclass(slots=True, kw_only=True)
class WorkerCounts:
    """How many workers there are by state, and the slots of those that are not silent."""

    by_state: Counter[WorkerState]
    slots: int
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedLately:
    """The runs of one state, and of one DAG where DAGs are told apart, that ended in the last five minutes."""

    state: RunState
    dag_id: str | None
    runs: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOfDag:
    """How many live task instances, or runs, of one DAG are in one state."""

    state: str
    dag_id: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything that is counted; the two lists by DAG are empty where DAGs are not told apart."""

    now: datetime
    live: LiveCounts
    heartbeats: dict[str, Heartbeat]
    queues: Sequence[QueueView]
    pools: Sequence[PoolView]
    workers: WorkerCounts
    import_errors: int
    ended: Sequence[EndedLately]
    tasks_by_dag: Sequence[LiveOfDag] = ()
    runs_by_dag: Sequence[LiveOfDag] = ()


async def read_figures(tx: Transaction, *, by_dag: bool, most_pools: int) -> Figures:
    """Return the figures of now; with `by_dag`, those of tasks and runs for each DAG as well."""
    now = await tx.now()
    pools, _ = await list_pools(tx, Listing(limit=most_pools, order_by=(Order("name"),)))
    return Figures(
        now=now,
        live=await live_counts(tx),
        heartbeats=await heartbeats(tx),
        queues=await list_queues(tx),
        pools=pools,
        workers=await _workers(tx, now),
        import_errors=int((await tx.execute(select(func.count()).select_from(import_error))).scalar_one()),
        ended=await _ended(tx, since=now - RECENT, by_dag=by_dag),
        tasks_by_dag=await _tasks_by_dag(tx) if by_dag else (),
        runs_by_dag=await _runs_by_dag(tx) if by_dag else (),
    )


async def _workers(tx: Transaction, now: datetime) -> WorkerCounts:
    counts = WorkerCounts(by_state=Counter(dict.fromkeys(WorkerState, 0)), slots=0, running=0)
    for node in await seen_lately(tx):
        if "worker" not in node.roles:
            continue
        state = state_of(node, now)
        counts.by_state[state] += 1
        if state is not WorkerState.SILENT:
            counts.slots += node.concurrency
            counts.running += node.running
    return counts


async def _ended(tx: Transaction, *, since: datetime, by_dag: bool) -> Sequence[EndedLately]:
    # Of an expression: by the name alone SQLite would walk every run there is in the order of its index of names.
    names = (dag_run.c.dag_id.concat("").label("dag_id"),) if by_dag else ()
    # A run that was failed before it began took no time.
    took = func.sum(dag_run.c.ended_at - func.coalesce(dag_run.c.started_at, dag_run.c.ended_at)).label("took")
    rows = await tx.execute(
        select(dag_run.c.state, func.count().label("runs"), took, *names)
        .where(dag_run.c.ended_at >= to_db(since))
        .group_by(dag_run.c.state, *names)
    )
    return [
        EndedLately(
            state=RunState(row["state"]),
            dag_id=row.get("dag_id"),
            runs=int(row["runs"]),
            seconds=int(row["took"]) / 1_000_000,
        )
        for row in rows.mappings()
    ]


async def _tasks_by_dag(tx: Transaction) -> Sequence[LiveOfDag]:
    held = [is_state(task_instance, state) for state in _HELD]
    found: list[LiveOfDag] = []
    # One statement for each state: so that each reads the index that holds the live rows of that state alone.
    for condition in (*held, is_one_of(task_instance, tuple(WAITING))):
        name = task_instance.c.dag_id.concat("").label("dag_id")
        rows = await tx.execute(
            select(task_instance.c.state, name, func.count()).where(condition).group_by(task_instance.c.state, name)
        )
        found += [LiveOfDag(state=state, dag_id=dag_id, number=int(number)) for state, dag_id, number in rows]
    return found


async def _runs_by_dag(tx: Transaction) -> Sequence[LiveOfDag]:
    rows = await tx.execute(
        select(dag_run.c.state, dag_run.c.dag_id, func.count())
        .where(is_one_of(dag_run, _LIVE_RUNS))
        .group_by(dag_run.c.state, dag_run.c.dag_id)
    )
    return [LiveOfDag(state=state, dag_id=dag_id, number=int(number)) for state, dag_id, number in rows]
