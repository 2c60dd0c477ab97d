"""Asset events with the runs that they have set off, and what is queued for whom."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from flowd.db import asset_events
from flowd.db.asset_events import StoredEvent
from flowd.db.asset_tables import asset, asset_event, asset_event_queue
from flowd.db.moments import from_db, to_db
from flowd.db.tables import dag
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.listing import Field, FieldKind, Listing, OneOf, Order, View, count, page
from flowd.db.views.sight import hidden_dags, is_seen
from flowd.domain.errors import NotFound
from flowd.domain.ids import DagId, RunId

ASSET_EVENTS = View(
    columns=(asset_event.c.id,),
    source=asset_event.join(asset, asset.c.id == asset_event.c.asset),
    fields={
        "id": Field(asset_event.c.id, FieldKind.NUMBER),
        "asset_id": Field(asset_event.c.asset, FieldKind.NUMBER),
        "name": Field(asset.c.name),
        "source_dag_id": Field(asset_event.c.source_dag_id),
        "source_task_id": Field(asset_event.c.source_task_id),
        "source_run_id": Field(asset_event.c.source_run_id),
        "source_map_index": Field(asset_event.c.source_map_index, FieldKind.NUMBER),
        "timestamp": Field(asset_event.c.at, FieldKind.MOMENT),
    },
    key=asset_event.c.id,
    dag=asset_event.c.source_dag_id,
    order_by=(Order("timestamp"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedRun:
    """A run that is about an event."""

    dag_id: str
    run_id: str
    state: str
    logical_date: datetime | None
    partition_key: str | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """An event and the runs that are about it."""

    event: StoredEvent
    runs: Sequence[CreatedRun] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedView:
    """That a DAG waits for others beside this asset, and since which event of it."""

    dag_id: str
    dag_display_name: str
    asset: int
    since: datetime


async def list_events(tx: Transaction, listing: Listing) -> tuple[list[EventView], int]:
    """Return a page of events and how many there are."""
    ids = [row["id"] for row in await page(tx, ASSET_EVENTS, listing)]
    return await _events(tx, await _stored(tx, ids)), await count(tx, ASSET_EVENTS, listing)


async def get_event(tx: Transaction, event: int) -> EventView:
    """Return the event; raise NotFound for an unknown one."""
    found, _ = await list_events(tx, Listing(conditions=(OneOf("id", (event,)),)))
    if not found:
        raise NotFound(f"The asset event with ID: `{event}` was not found")
    return found[0]


async def events_of_run(tx: Transaction, dag_id: DagId, run_id: RunId) -> list[EventView]:
    """Return the events that a run is about, the oldest first."""
    return await _events(tx, await asset_events.of_run(tx, dag_id, run_id))


async def list_queued(
    tx: Transaction,
    cards: DagCards,
    *,
    dag_id: str | None = None,
    asset_id: int | None = None,
    before: datetime | None = None,
) -> list[QueuedView]:
    """Return for which DAGs events of which assets are queued, by DAG and asset."""
    queued = asset_event_queue.c
    statement = (
        select(
            queued.dag_id, queued.asset, func.min(queued.at).label("since"), func.max(dag.c.version).label("version")
        )
        .join(dag, dag.c.dag_id == queued.dag_id)
        .where(is_seen(tx, queued.dag_id))
        .group_by(queued.dag_id, queued.asset)
        .order_by(queued.dag_id, queued.asset)
    )
    if dag_id is not None:
        statement = statement.where(queued.dag_id == dag_id)
    if asset_id is not None:
        statement = statement.where(queued.asset == asset_id)
    if before is not None:
        statement = statement.where(queued.at < to_db(before))
    rows = (await tx.execute(statement)).mappings().all()
    by_version = await cards.get(tx, {row["version"] for row in rows})
    return [
        QueuedView(
            dag_id=row["dag_id"],
            dag_display_name=by_version[row["version"]].display_name,
            asset=row["asset"],
            since=from_db(row["since"]),
        )
        for row in rows
    ]


async def _stored(tx: Transaction, ids: Sequence[int]) -> list[StoredEvent]:
    if not ids:
        return []
    rows = await tx.execute(
        f"SELECT {asset_events.EVENT_COLUMNS} FROM asset_event e JOIN asset a ON a.id = e.asset"
        f" WHERE e.id IN {tx.dialect.keys()}",
        {"keys": json.dumps(list(ids))},
    )
    by_id = {event.id: event for event in asset_events.stored(rows)}
    return [by_id[id_] for id_ in ids]


async def _events(tx: Transaction, stored: Sequence[StoredEvent]) -> list[EventView]:
    hidden = await hidden_dags(tx)
    stored = [event for event in stored if event.source_dag_id not in hidden]
    runs: dict[int, list[CreatedRun]] = defaultdict(list)
    if stored:
        rows = await tx.execute(
            "SELECT r.event, d.dag_id, d.run_id, d.state, d.logical_date, d.partition_key,"
            " d.data_interval_start, d.data_interval_end,"
            " d.queued_at, d.started_at, d.ended_at FROM asset_event_run r JOIN dag_run d ON d.id = r.run"
            f" WHERE r.event IN {tx.dialect.keys()} ORDER BY d.id",
            {"keys": json.dumps([event.id for event in stored])},
        )
        for row in rows.mappings():
            if row["dag_id"] in hidden:
                continue
            runs[row["event"]].append(
                CreatedRun(
                    dag_id=row["dag_id"],
                    run_id=row["run_id"],
                    state=row["state"],
                    logical_date=from_db(row["logical_date"]),
                    partition_key=row["partition_key"],
                    data_interval_start=from_db(row["data_interval_start"]),
                    data_interval_end=from_db(row["data_interval_end"]),
                    queued_at=from_db(row["queued_at"]),
                    started_at=from_db(row["started_at"]),
                    ended_at=from_db(row["ended_at"]),
                )
            )
    return [EventView(event=event, runs=runs[event.id]) for event in stored]
