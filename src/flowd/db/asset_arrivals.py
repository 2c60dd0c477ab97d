"""Arrivals: events of partitioned assets that wait, by the key of the run they are for, until the run may be made."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flowd.db.insert_missing import insert_missing
from flowd.db.ledger.read import as_json
from flowd.db.moments import from_db
from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId, RunKey
from flowd.domain.partition.plan import Arrival

_ARRIVAL = {"dag_id": "text", "partition_key": "text", "event": "int", "plan": "text"}
_LINK = {"run": "int", "event": "int"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionEvent:
    """An event of an asset, by its name, about one of its partitions."""

    event: int
    asset: str
    key: str
    date: datetime | None


async def events(tx: Transaction, keys: Collection[int]) -> list[PartitionEvent]:
    """Return those of these events that are about a partition, the oldest first."""
    rows = await tx.execute(
        "SELECT e.id, a.name, e.partition_key, e.partition_date FROM asset_event e JOIN asset a ON a.id = e.asset"
        f" WHERE e.partition_key IS NOT NULL AND e.id IN {tx.dialect.keys()} ORDER BY e.id",
        {"keys": json.dumps(sorted(keys))},
    )
    return [PartitionEvent(event=id_, asset=name, key=key, date=from_db(date)) for id_, name, key, date in rows]


async def note(tx: Transaction, dag_id: DagId, plan: str, arrived: Iterable[tuple[str, int]]) -> None:
    """Note for which keys of the DAG's runs events have arrived, as this plan maps them."""
    rows = [
        {"dag_id": dag_id, "partition_key": key, "event": event, "plan": plan} for key, event in sorted(set(arrived))
    ]
    await insert_missing(tx, "asset_arrival", _ARRIVAL, rows)


async def forget_other_plans(tx: Transaction, dag_id: DagId, plan: str) -> int:
    """Forget what has arrived under another plan of the DAG: its keys mean nothing any more; return how many events."""
    gone = await tx.execute(
        "DELETE FROM asset_arrival WHERE dag_id = :dag_id AND plan <> :plan", {"dag_id": dag_id, "plan": plan}
    )
    return int(gone.rowcount)


async def arrived(tx: Transaction, dag_id: DagId, keys: Collection[str]) -> Mapping[str, Sequence[Arrival]]:
    """Return what has arrived for these keys of the DAG's runs."""
    rows = await tx.execute(
        "SELECT r.partition_key, e.id, a.name, e.partition_key AS source, e.partition_date FROM asset_arrival r"
        " JOIN asset_event e ON e.id = r.event JOIN asset a ON a.id = e.asset"
        f" WHERE r.dag_id = :dag_id AND r.partition_key IN {tx.dialect.keys(type_='text')} ORDER BY e.id",
        {"dag_id": dag_id, "keys": json.dumps(sorted(keys))},
    )
    found: dict[str, list[Arrival]] = {}
    for key, event, asset, source, date in rows:
        found.setdefault(key, []).append(Arrival(event=event, asset=asset, source=source, date=from_db(date)))
    return found


async def answer(tx: Transaction, dag_id: DagId, key: str, arrivals: Sequence[Arrival], run: RunKey) -> None:
    """Take what has arrived for this key, and note that the run is about it."""
    await tx.execute(
        "DELETE FROM asset_arrival WHERE dag_id = :dag_id AND partition_key = :key", {"dag_id": dag_id, "key": key}
    )
    await tx.execute(
        f"INSERT INTO asset_event_run (run, event) SELECT run, event FROM {tx.dialect.rows(_LINK)}",
        {"rows": as_json([{"run": run, "event": one.event} for one in arrivals])},
    )
