"""Health: when a node of each role was last seen, and how much is live now. Cheap: live rows and nodes only."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, literal_column, select

from flowd.db.engine import Transaction
from flowd.db.moments import from_db, to_db
from flowd.db.tables import dag_run, node, task_instance
from flowd.domain.states import WAITING, RunState, TaskState

SILENT_AFTER = timedelta(seconds=30)
"""A role whose last heartbeat is older than this is not healthy: Airflow's scheduler_health_check_threshold."""

_LIVE_TASKS = (TaskState.SCHEDULED, TaskState.QUEUED, TaskState.RUNNING, *sorted(WAITING))
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
    """Return how much is live now; one count per state, so that each reads an index of live rows."""
    counts = LiveCounts()
    for state in _LIVE_TASKS:
        statement = select(func.count()).where(task_instance.c.state == _literal(state))
        counts.tasks[state] = int((await tx.execute(statement)).scalar_one())
    for run_state in _LIVE_RUNS:
        statement = select(func.count()).where(dag_run.c.state == _literal(run_state))
        counts.runs[run_state] = int((await tx.execute(statement)).scalar_one())
    queued = (
        select(task_instance.c.queue, func.count())
        .where(task_instance.c.state == _literal(TaskState.QUEUED))
        .group_by(task_instance.c.queue)
    )
    for queue, number in await tx.execute(queued):
        counts.queued_by_queue[queue] = number
    since = to_db(await tx.now() - SILENT_AFTER)
    for (roles,) in await tx.execute(select(node.c.roles).where(node.c.seen_at >= since)):
        counts.nodes_by_role.update(role.strip() for role in roles.split(","))
    return counts


def _literal(state: TaskState | RunState) -> ColumnElement[str]:
    """The state spelt out: a partial index of live rows serves no state that is a parameter."""
    return literal_column(f"'{state.value}'")
