"""Asset events: what is queued for a DAG, what a run is about, and what an asset has had."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from flowd.db.ledger.read import as_json
from flowd.db.moments import from_db, to_db
from flowd.db.rows import Rows
from flowd.db.transaction import Transaction
from flowd.domain.errors import Conflict
from flowd.domain.ids import BundleHash, DagId, RunId, RunKey

EVENT_COLUMNS = (
    "e.id, e.asset, a.name, a.uri, a.asset_group, e.extra, e.source_dag_id, e.source_task_id, e.source_run_id,"
    " e.source_map_index, e.partition_key, e.at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """One event of an asset."""

    id: int
    asset: int
    name: str
    uri: str
    group: str
    extra: Mapping[str, Any]
    source_dag_id: str | None
    source_task_id: str | None
    source_run_id: str | None
    source_map_index: int
    partition_key: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """The events that a DAG has not yet been run for: assets and aliases they are of, and its current version."""

    dag_id: DagId
    version: int
    bundle: BundleHash
    events: tuple[int, ...]
    assets: frozenset[str]
    aliases: frozenset[str]


async def dags_with_queued(tx: Transaction) -> list[DagId]:
    """Return the DAGs in service for which an event is queued."""
    rows = await tx.execute(
        "SELECT d.dag_id FROM dag d WHERE d.is_active AND NOT d.is_paused"
        " AND d.dag_id IN (SELECT q.dag_id FROM asset_event_queue q) ORDER BY d.dag_id"
    )
    return [DagId(dag_id) for (dag_id,) in rows]


async def hold_queued(tx: Transaction, dag_id: DagId) -> Queued | None:
    """Lock the DAG and return what is queued for it; None where another scheduler holds it, or nothing is."""
    held = (
        await tx.execute(
            "SELECT version, bundle FROM dag WHERE dag_id = :dag_id AND is_active AND NOT is_paused"
            f"{tx.dialect.skip_locked}",
            {"dag_id": dag_id},
        )
    ).first()
    if held is None:
        return None
    rows = list(
        await tx.execute(
            "SELECT q.event, a.name, m.alias FROM asset_event_queue q JOIN asset a ON a.id = q.asset"
            " LEFT JOIN asset_alias_member m ON m.asset = a.id WHERE q.dag_id = :dag_id",
            {"dag_id": dag_id},
        )
    )
    if not rows:
        return None
    return Queued(
        dag_id=dag_id,
        version=held[0],
        bundle=BundleHash(held[1]),
        events=tuple(sorted({event for event, _, _ in rows})),
        assets=frozenset(name for _, name, _ in rows),
        aliases=frozenset(alias for _, _, alias in rows if alias is not None),
    )


async def forget(tx: Transaction, queued: Queued) -> None:
    """Take these events from the DAG's queue; raise Conflict where somebody else has taken one: nothing must follow."""
    gone = await tx.execute(
        f"DELETE FROM asset_event_queue WHERE dag_id = :dag_id AND event IN {tx.dialect.keys()}",
        {"dag_id": queued.dag_id, "keys": json.dumps(list(queued.events))},
    )
    if gone.rowcount != len(queued.events):
        raise Conflict(f"DAG {queued.dag_id!r}: asset events that were queued for it have been taken meanwhile")


async def answer(tx: Transaction, queued: Queued, run: RunKey) -> None:
    """Take these events from the DAG's queue, and note that the run is about them."""
    await forget(tx, queued)
    await tx.execute(
        f"INSERT INTO asset_event_run (run, event) SELECT run, event FROM {tx.dialect.rows(_LINK)}",
        {"rows": as_json([{"run": run, "event": event} for event in queued.events])},
    )


async def take(
    tx: Transaction, *, dag_id: DagId | None = None, asset: int | None = None, before: datetime | None = None
) -> int:
    """Take events from the queues of DAGs, of this DAG and asset and older than that; return how many that were."""
    wanted = {"dag_id = :dag_id": dag_id, "asset = :asset": asset, "at < :before": to_db(before)}
    given = {condition: value for condition, value in wanted.items() if value is not None}
    gone = await tx.execute(
        f"DELETE FROM asset_event_queue WHERE {' AND '.join(given)}",
        {condition.rpartition(":")[2]: value for condition, value in given.items()},
    )
    return int(gone.rowcount)


_LINK = {"run": "int", "event": "int"}


async def of_run(tx: Transaction, dag_id: DagId, run_id: RunId) -> list[StoredEvent]:
    """Return the events that the run is about, the oldest first."""
    rows = await tx.execute(
        f"SELECT {EVENT_COLUMNS} FROM dag_run d JOIN asset_event_run r ON r.run = d.id"
        " JOIN asset_event e ON e.id = r.event JOIN asset a ON a.id = e.asset"
        " WHERE d.dag_id = :dag_id AND d.run_id = :run_id ORDER BY e.id",
        {"dag_id": dag_id, "run_id": run_id},
    )
    return stored(rows)


class FoundBy(StrEnum):
    """What events are looked for by: an asset's name, the URI of one or several, or the alias they went through."""

    NAME = "name"
    URI = "uri"
    ALIAS = "alias"


_COLUMN = {FoundBy.NAME: "a.name", FoundBy.URI: "a.uri", FoundBy.ALIAS: "e.alias"}


async def find(tx: Transaction, by: FoundBy, value: str) -> list[StoredEvent]:
    """Return the events of the assets that have this name, URI or alias, the oldest first."""
    rows = await tx.execute(
        f"SELECT {EVENT_COLUMNS} FROM asset_event e JOIN asset a ON a.id = e.asset"
        f" WHERE {_COLUMN[by]} = :value ORDER BY e.id",
        {"value": value},
    )
    return stored(rows)


def stored(rows: Rows) -> list[StoredEvent]:
    """Return the events of rows of EVENT_COLUMNS."""
    return [
        StoredEvent(
            id=row["id"],
            asset=row["asset"],
            name=row["name"],
            uri=row["uri"],
            group=row["asset_group"],
            extra=json.loads(row["extra"]),
            source_dag_id=row["source_dag_id"],
            source_task_id=row["source_task_id"],
            source_run_id=row["source_run_id"],
            source_map_index=row["source_map_index"],
            partition_key=row["partition_key"],
            at=from_db(row["at"]),
        )
        for row in rows.mappings()
    ]
