"""Queues: how much is in each, for how long, who takes from it, and whether it is paused."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from flowd.db import task_queues
from flowd.db.moments import from_db
from flowd.db.nodes import Node, seen_lately
from flowd.db.tables import task_instance
from flowd.db.transaction import Transaction
from flowd.db.views.live_states import is_state
from flowd.db.views.workers import WorkerState, state_of
from flowd.domain.errors import NotFound
from flowd.domain.states import TaskState
from flowd.domain.task_spec import DEFAULT_QUEUE

_T = task_instance.c
_COUNTED = (TaskState.SCHEDULED, TaskState.QUEUED, TaskState.RUNNING)


@dataclass(slots=True, kw_only=True)
class QueueView:
    """A queue by its name. `by_state` counts task instances; `workers` are those that take from it."""

    name: str
    paused_at: datetime | None = None
    by_state: dict[TaskState, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))
    oldest_queued_at: datetime | None = None
    workers: list[Node] = field(default_factory=list)


async def list_queues(tx: Transaction) -> list[QueueView]:
    """Return every queue that has live task instances, workers that are not silent, or is paused, by name."""
    found = {DEFAULT_QUEUE: QueueView(name=DEFAULT_QUEUE)}
    for name, since in (await task_queues.paused(tx)).items():
        found.setdefault(name, QueueView(name=name)).paused_at = since
    for state in _COUNTED:
        rows = await tx.execute(
            select(_T.queue, func.count(), func.min(_T.queued_at))
            .where(is_state(task_instance, state))
            .group_by(_T.queue)
        )
        for name, number, oldest in rows:
            view = found.setdefault(name, QueueView(name=name))
            view.by_state[state] = number
            if state is TaskState.QUEUED:
                view.oldest_queued_at = from_db(oldest)
    for node in await _listening(tx):
        for name in node.queues:
            found.setdefault(name, QueueView(name=name)).workers.append(node)
    return sorted(found.values(), key=lambda view: view.name)


async def get_queue(tx: Transaction, name: str) -> QueueView:
    """Return one queue; raise NotFound for one that nothing is known of."""
    for view in await list_queues(tx):
        if view.name == name:
            return view
    raise NotFound(f"The Queue with name: `{name}` was not found: no task is in it and no worker takes from it")


async def _listening(tx: Transaction) -> Sequence[Node]:
    now = await tx.now()
    return [
        node
        for node in await seen_lately(tx)
        if "worker" in node.roles and state_of(node, now) is not WorkerState.SILENT
    ]
