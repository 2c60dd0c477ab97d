"""Workers: whether each takes work, and which tasks it runs."""

from datetime import datetime
from enum import StrEnum

from flowd.db.nodes import Node
from flowd.db.tables import task_instance
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.health import SILENT_AFTER
from flowd.db.views.listing import MOST_ROWS, Listing, Order
from flowd.db.views.live_states import is_state
from flowd.db.views.task_instances import InstanceView, list_instances
from flowd.domain.states import TaskState


class WorkerState(StrEnum):
    """What a worker does with what is queued."""

    ACTIVE = "active"
    DRAINING = "draining"
    DRAINED = "drained"
    SILENT = "silent"


def state_of(node: Node, now: datetime) -> WorkerState:
    """Return whether a worker takes work.

    It is draining from when that is wanted until it has said that it takes no more and runs nothing. One that ends
    drains too. One that has not been seen for 30 seconds is silent, whatever was wanted of it.
    """
    if node.seen_at is None or now - node.seen_at > SILENT_AFTER:
        return WorkerState.SILENT
    if node.is_taking_work:
        return WorkerState.DRAINING if node.wish.is_to_drain else WorkerState.ACTIVE
    return WorkerState.DRAINING if node.running else WorkerState.DRAINED


async def running_on(tx: Transaction, cards: DagCards, node: Node) -> list[InstanceView]:
    """Return the task instances that run on a worker, the first 100 of them, of DAGs that the actor may see."""
    listing = Listing(limit=MOST_ROWS, order_by=(Order("id"),))
    found, _ = await list_instances(
        tx, cards, listing, is_state(task_instance, TaskState.RUNNING), task_instance.c.worker == node.name
    )
    return found
