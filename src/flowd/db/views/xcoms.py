"""XComs as the API shows them."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from flowd.db.moments import from_db
from flowd.db.storable import shown
from flowd.db.tables import dag_run, task_instance, xcom
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.listing import Field, FieldKind, Listing, Order, View, count, page
from flowd.domain.errors import NotFound

XCOMS = View(
    columns=(
        xcom.c.name,
        xcom.c.value,
        xcom.c.at,
        task_instance.c.dag_id,
        task_instance.c.task_id,
        task_instance.c.map_index,
        dag_run.c.run_id,
        dag_run.c.logical_date,
        dag_run.c.run_after,
        dag_run.c.dag_version,
    ),
    source=xcom.join(task_instance, task_instance.c.id == xcom.c.instance).join(
        dag_run, dag_run.c.id == task_instance.c.run
    ),
    fields={
        "dag_id": Field(task_instance.c.dag_id),
        "run_id": Field(dag_run.c.run_id),
        "task_id": Field(task_instance.c.task_id),
        "map_index": Field(task_instance.c.map_index, FieldKind.NUMBER),
        "xcom_key": Field(xcom.c.name),
        "key": Field(xcom.c.name),
        "logical_date": Field(dag_run.c.logical_date, FieldKind.MOMENT),
        "run_after": Field(dag_run.c.run_after, FieldKind.MOMENT),
        "timestamp": Field(xcom.c.at, FieldKind.MOMENT),
    },
    key=xcom.c.instance,
    dag=task_instance.c.dag_id,
    order_by=(Order("dag_id"), Order("task_id"), Order("run_id"), Order("map_index"), Order("key")),
    run=task_instance.c.run,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class XComView:
    """One value with who left it and when."""

    key: str
    value: Any
    at: datetime
    dag_id: str
    dag_display_name: str
    run_id: str
    task_id: str
    task_display_name: str
    map_index: int
    logical_date: datetime | None
    run_after: datetime


async def list_xcoms(tx: Transaction, cards: DagCards, listing: Listing) -> tuple[list[XComView], int]:
    """Return a page of XComs and how many there are."""
    rows = await page(tx, XCOMS, listing)
    by_version = await cards.get(tx, {row["dag_version"] for row in rows})
    return [_xcom(row, by_version) for row in rows], await count(tx, XCOMS, listing)


async def get_xcom(tx: Transaction, cards: DagCards, listing: Listing, key: str) -> XComView:
    """Return the one XCom that meets the conditions; raise NotFound where none does."""
    found, _ = await list_xcoms(tx, cards, listing)
    if not found:
        raise NotFound(f"XCom entry with key: `{key}` not found")
    return found[0]


def _xcom(row: RowMapping, by_version: dict[int, Any]) -> XComView:
    card = by_version[row["dag_version"]]
    return XComView(
        key=row["name"],
        value=shown(json.loads(row["value"])),
        at=from_db(row["at"]),
        dag_id=row["dag_id"],
        dag_display_name=card.display_name,
        run_id=row["run_id"],
        task_id=row["task_id"],
        task_display_name=card.task_names.get(row["task_id"], row["task_id"]),
        map_index=row["map_index"],
        logical_date=from_db(row["logical_date"]),
        run_after=from_db(row["run_after"]),
    )
