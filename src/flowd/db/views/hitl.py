"""Lists of questions to people, with the task instances that ask them."""

from dataclasses import dataclass

from flowd.db.hitl import Asked, asked_of
from flowd.db.tables import dag_run, hitl_detail, task_instance
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.listing import Field, FieldKind, Listing, Order, View, count, page
from flowd.db.views.task_instances import InstanceView, instances_by_key
from flowd.domain.states import TaskState

_H, _T = hitl_detail.c, task_instance.c

HITL_DETAILS = View(
    columns=tuple(hitl_detail.columns),
    source=hitl_detail.join(task_instance, _T.id == _H.instance).join(dag_run, dag_run.c.id == _T.run),
    fields={
        "ti_id": Field(_T.id, FieldKind.NUMBER),
        "dag_id": Field(_T.dag_id),
        "run_id": Field(dag_run.c.run_id),
        "task_id": Field(_T.task_id),
        "map_index": Field(_T.map_index, FieldKind.NUMBER),
        "state": Field(_T.state, choices=tuple(TaskState)),
        "run_after": Field(dag_run.c.run_after, FieldKind.MOMENT),
        "subject": Field(_H.subject),
        "body": Field(_H.body),
        "created_at": Field(_H.created_at, FieldKind.MOMENT),
        "responded_at": Field(_H.responded_at, FieldKind.MOMENT),
        "response_received": Field(_H.is_answered, FieldKind.FLAG),
        "responded_by_user_id": Field(_H.responded_by),
        "responded_by_user_name": Field(_H.responded_by),
    },
    key=_H.instance,
    dag=_T.dag_id,
    order_by=(Order("ti_id"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HitlView:
    """A question and the instance that asks it."""

    instance: InstanceView
    asked: Asked


async def list_hitl_details(tx: Transaction, cards: DagCards, listing: Listing) -> tuple[list[HitlView], int]:
    """Return a page of the questions of current tries, and how many there are."""
    current = _H.try_number == _T.try_number
    asked = [asked_of(row) for row in await page(tx, HITL_DETAILS, listing, current)]
    instances = {one.key: one for one in await instances_by_key(tx, cards, [one.instance for one in asked])}
    found = [HitlView(instance=instances[one.instance], asked=one) for one in asked]
    return found, await count(tx, HITL_DETAILS, listing, current)
