"""What task instances and assets keep, as the API shows it."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from flowd.db.asset_tables import asset_state
from flowd.db.moments import from_db, to_db
from flowd.db.storable import shown
from flowd.db.tables import dag_run, task_instance, task_state
from flowd.db.transaction import Transaction
from flowd.db.views.listing import Field, FieldKind, Listing, OneOf, Order, View, count, page

TASK_STATE = View(
    columns=(task_state.c.name, task_state.c.value, task_state.c.at, task_state.c.expires_at),
    source=task_state,
    fields={"instance": Field(task_state.c.instance, FieldKind.NUMBER), "key": Field(task_state.c.name)},
    key=task_state.c.name,
    dag=None,
    order_by=(Order("key"),),
)
ASSET_STATE = View(
    columns=(
        asset_state.c.name,
        asset_state.c.value,
        asset_state.c.at,
        asset_state.c.writer,
        task_instance.c.dag_id,
        task_instance.c.task_id,
        task_instance.c.map_index,
        dag_run.c.run_id,
    ),
    source=asset_state.outerjoin(task_instance, task_instance.c.id == asset_state.c.writer).outerjoin(
        dag_run, dag_run.c.id == task_instance.c.run
    ),
    fields={"asset": Field(asset_state.c.asset, FieldKind.NUMBER), "key": Field(asset_state.c.name)},
    key=asset_state.c.name,
    dag=task_instance.c.dag_id,
    order_by=(Order("key"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The task instance that wrote a value of an asset; all None where its run has been deleted since."""

    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A value, since when it is kept and until when. `writer` is None where no task wrote it."""

    key: str
    value: Any
    at: datetime
    expires_at: datetime | None = None
    writer: Writer | None = None


async def list_of_task(tx: Transaction, instance: int, listing: Listing) -> tuple[list[Kept], int]:
    """Return a page of what the instance keeps and has not expired, and how much that is."""
    listing = listing.where(OneOf("instance", (instance,)))
    lasts = task_state.c.expires_at.is_(None) | (task_state.c.expires_at > to_db(await tx.now()))
    rows = await page(tx, TASK_STATE, listing, lasts)
    return [_of_task(row) for row in rows], await count(tx, TASK_STATE, listing, lasts)


async def list_of_asset(tx: Transaction, asset: int, listing: Listing) -> tuple[list[Kept], int]:
    """Return a page of what the asset keeps, and how much that is."""
    listing = listing.where(OneOf("asset", (asset,)))
    rows = await page(tx, ASSET_STATE, listing)
    return [_of_asset(row) for row in rows], await count(tx, ASSET_STATE, listing)


def _of_task(row: RowMapping) -> Kept:
    return Kept(
        key=row["name"],
        value=shown(json.loads(row["value"])),
        at=from_db(row["at"]),
        expires_at=from_db(row["expires_at"]),
    )


def _of_asset(row: RowMapping) -> Kept:
    writer = Writer(dag_id=row["dag_id"], run_id=row["run_id"], task_id=row["task_id"], map_index=row["map_index"])
    return Kept(
        key=row["name"],
        value=shown(json.loads(row["value"])),
        at=from_db(row["at"]),
        writer=None if row["writer"] is None else writer,
    )
