"""The audit log as the API shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, and_

from flowd.db.moments import from_db
from flowd.db.tables import audit_event, dag, dag_run
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCard, DagCards
from flowd.db.views.keyset import Stretch, stretch
from flowd.db.views.listing import Field, FieldKind, Listing, OneOf, Order, View, count, page
from flowd.domain.errors import NotFound

_E = audit_event.c

AUDIT_EVENTS = View(
    columns=(*audit_event.columns, dag.c.version, dag_run.c.logical_date),
    source=audit_event.outerjoin(dag, dag.c.dag_id == _E.dag_id).outerjoin(
        dag_run, and_(dag_run.c.dag_id == _E.dag_id, dag_run.c.run_id == _E.run_id)
    ),
    fields={
        "id": Field(_E.id, FieldKind.NUMBER),
        "event_log_id": Field(_E.id, FieldKind.NUMBER),
        "dttm": Field(_E.at, FieldKind.MOMENT),
        "when": Field(_E.at, FieldKind.MOMENT),
        "dag_id": Field(_E.dag_id),
        "run_id": Field(_E.run_id),
        "task_id": Field(_E.task_id),
        "map_index": Field(_E.map_index, FieldKind.NUMBER),
        "try_number": Field(_E.try_number, FieldKind.NUMBER),
        "event": Field(_E.event),
        "owner": Field(_E.owner),
        "extra": Field(_E.extra),
        "logical_date": Field(dag_run.c.logical_date, FieldKind.MOMENT),
    },
    key=_E.id,
    dag=_E.dag_id,
    order_by=(Order("id"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what; `extra` is JSON: the request's id, and each change with what was before and after."""

    id: int
    at: datetime
    event: str
    owner: str
    dag_id: str | None
    dag_display_name: str | None
    run_id: str | None
    task_id: str | None
    task_display_name: str | None
    map_index: int | None
    try_number: int | None
    logical_date: datetime | None
    extra: str


async def list_events(
    tx: Transaction, cards: DagCards, listing: Listing, excluded: tuple[str, ...] = ()
) -> tuple[list[AuditEvent], int]:
    """Return a page of the log and how many rows there are, less these events.

    Whoever is restricted is shown what was done to DAGs that they may see, and nothing else.
    """
    also = [*_seen(tx), *([_E.event.not_in(excluded)] if excluded else ())]
    rows = await page(tx, AUDIT_EVENTS, listing, *also)
    return await _events(tx, cards, rows), await count(tx, AUDIT_EVENTS, listing, *also)


async def list_events_at(tx: Transaction, cards: DagCards, listing: Listing, cursor: str) -> Stretch[AuditEvent]:
    """Return the page of the log at this cursor, the first for an empty one; shown is what `list_events` shows."""
    found = await stretch(tx, AUDIT_EVENTS, listing, cursor, *_seen(tx))
    return Stretch(
        items=await _events(tx, cards, found.items),
        next_cursor=found.next_cursor,
        previous_cursor=found.previous_cursor,
        total=found.total,
    )


async def get_event(tx: Transaction, cards: DagCards, event: int) -> AuditEvent:
    """Return a row of the log; raise NotFound for an unknown one."""
    found, _ = await list_events(tx, cards, Listing(conditions=(OneOf("id", (event,)),)))
    if not found:
        raise NotFound(f"The Event Log with id: `{event}` not found")
    return found[0]


def _seen(tx: Transaction) -> list[ColumnElement[bool]]:
    is_restricted = tx.actor is not None and tx.actor.dag_names is not None
    return [_E.dag_id.is_not(None)] if is_restricted else []


async def _events(tx: Transaction, cards: DagCards, rows: Sequence[RowMapping]) -> list[AuditEvent]:
    by_version = await cards.get(tx, {row["version"] for row in rows if row["version"] is not None})
    return [_event(row, by_version) for row in rows]


def _event(row: RowMapping, by_version: dict[int, DagCard]) -> AuditEvent:
    card, task_id = by_version.get(row["version"]), row["task_id"]
    return AuditEvent(
        id=row["id"],
        at=from_db(row["at"]),
        event=row["event"],
        owner=row["owner"],
        dag_id=row["dag_id"],
        dag_display_name=card.display_name if card else row["dag_id"],
        run_id=row["run_id"],
        task_id=task_id,
        task_display_name=card.task_names.get(task_id, task_id) if card else task_id,
        map_index=row["map_index"],
        try_number=row["try_number"],
        logical_date=from_db(row["logical_date"]),
        extra=row["extra"],
    )
