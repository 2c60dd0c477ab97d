"""Health: when a node of each role was last seen, and how much is live now. Cheap: live rows and nodes only."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Select, Table, func, select

from flowd.db.moments import from_db, to_db
from flowd.db.tables import dag_run, node, task_instance
from flowd.db.transaction import Transaction
from flowd.db.views.live_states import is_one_of, is_state
from flowd.domain.states import WAITING, RunState, TaskState

SILENT_AFTER = timedelta(seconds=30)
"""A role whose last heartbeat is older than this is not healthy: Airflow's scheduler_health_check_threshold."""

_HELD = (TaskState.SCHEDULED, TaskState.QUEUED, TaskState.RUNNING)
_WAITING = tuple(sorted(WAITING))
_LIVE_RUNS = (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """When a node that runs a role was last seen; None where there never was one."""

    seen_at: datetime | None
    is_healthy: bool


@dataclass(slots=True, kw_only=True)
class LiveCounts:
    """How many live task instances and runs there are by state, and queued instances by queue."""

    tasks: dict[TaskState, int] = field(default_factory=dict)
    runs: dict[RunState, int] = field(default_factory=dict)
    queued_by_queue: Counter[str] = field(default_factory=Counter)
    nodes_by_role: Counter[str] = field(default_factory=Counter)


async def heartbeats(tx: Transaction) -> dict[str, Heartbeat]:
    """Return the latest heartbeat of each role that a node has ever run."""
    now = await tx.now()
    latest: dict[str, datetime] = {}
    for roles, seen_at in await tx.execute(select(node.c.roles, func.max(node.c.seen_at)).group_by(node.c.roles)):
        for role in roles.split(","):
            moment = from_db(int(seen_at))
            latest[role.strip()] = max(moment, latest.get(role.strip(), moment))
    return {role: Heartbeat(seen_at=moment, is_healthy=now - moment <= SILENT_AFTER) for role, moment in latest.items()}


async def live_counts(tx: Transaction) -> LiveCounts:
    """Return how much is live now, each count from an index of live rows."""
    counts = LiveCounts(tasks=dict.fromkeys((*_HELD, *_WAITING), 0), runs=dict.fromkeys(_LIVE_RUNS, 0))
    for state in _HELD:
        of_state = select(func.count()).where(is_state(task_instance, state))
        counts.tasks[state] = int((await tx.execute(of_state)).scalar_one())
    for name, number in await tx.execute(_by_state(task_instance, _WAITING)):
        counts.tasks[TaskState(name)] = number
    for name, number in await tx.execute(_by_state(dag_run, _LIVE_RUNS)):
        counts.runs[RunState(name)] = number
    queued = (
        select(task_instance.c.queue, func.count())
        .where(is_state(task_instance, TaskState.QUEUED))
        .group_by(task_instance.c.queue)
    )
    for queue, number in await tx.execute(queued):
        counts.queued_by_queue[queue] = number
    since = to_db(await tx.now() - SILENT_AFTER)
    for (roles,) in await tx.execute(select(node.c.roles).where(node.c.seen_at >= since)):
        counts.nodes_by_role.update(role.strip() for role in roles.split(","))
    return counts


def _by_state(table: Table, states: Sequence[str]) -> Select[tuple[str, int]]:
    return select(table.c.state, func.count()).where(is_one_of(table, states)).group_by(table.c.state)
