"""Demand for workers: what each queue is worth now, by the rule of `domain/worker_demand.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flowd.db import asset_watches, triggers
from flowd.db.nodes import Node
from flowd.db.transaction import Transaction
from flowd.db.views.task_queues import list_queues
from flowd.db.views.workers import WorkerState, state_of
from flowd.domain.states import TaskState
from flowd.domain.task_spec import DEFAULT_QUEUE
from flowd.domain.worker_demand import Demand, QueueLoad, demand_of, with_triggers


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDemand:
    """What is in a queue, who takes work from it, and how many workers that is worth."""

    name: str
    load: QueueLoad
    demand: Demand


async def list_demands(
    tx: Transaction, *, slots_per_worker: int | None, usual_slots: int, patience: timedelta
) -> Sequence[QueueDemand]:
    """Return the demand of every queue of `list_queues`, by name.

    Where `slots_per_worker` is None, they are what the queue's active workers have on average, rounded down; without
    any, those of all active workers; without these, `usual_slots`. A worker that takes from several queues counts in
    each.
    """
    now = await tx.now()
    views = await list_queues(tx)
    active = {view.name: [one for one in view.workers if state_of(one, now) is WorkerState.ACTIVE] for view in views}
    everywhere = _slots_of([one for workers in active.values() for one in workers]) or usual_slots
    loads = {
        view.name: QueueLoad(
            queued=view.by_state[TaskState.QUEUED],
            running=view.by_state[TaskState.RUNNING],
            oldest_queued=None if view.oldest_queued_at is None else now - view.oldest_queued_at,
            workers=len(active[view.name]),
            free_slots=sum(max(0, one.concurrency - one.running) for one in active[view.name]),
            slots_per_worker=slots_per_worker or _slots_of(active[view.name]) or everywhere,
        )
        for view in views
    }
    demands: Mapping[str, Demand] = {name: demand_of(load, patience) for name, load in loads.items()}
    if await triggers.is_any(tx) or await asset_watches.is_any_wanted(tx):
        demands = with_triggers(demands, DEFAULT_QUEUE)
    return [QueueDemand(name=name, load=load, demand=demands[name]) for name, load in loads.items()]


def _slots_of(workers: Sequence[Node]) -> int:
    return sum(one.concurrency for one in workers) // len(workers) if workers else 0
