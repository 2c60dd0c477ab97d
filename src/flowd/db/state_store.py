"""State that tasks keep for themselves: of a task instance, over its tries, and of an asset, over runs and DAGs."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flowd.db.ledger.read import as_json
from flowd.db.moments import to_db
from flowd.db.storable import storable
from flowd.db.transaction import Transaction
from flowd.domain.ids import InstanceKey

_TASK = {"instance": "int", "name": "text", "value": "text", "at": "int", "expires_at": "int"}
_ASSET = {"asset": "int", "name": "text", "value": "text", "at": "int", "writer": "int"}


@dataclass(frozen=True, slots=True)
class Found:
    """A value that there is; it is never None."""

    value: Any


async def get_of_task(tx: Transaction, instance: InstanceKey, name: str) -> Found | None:
    """Return what the task instance keeps under this name, None where there is nothing or it has expired."""
    rows = await tx.execute(
        "SELECT value FROM task_state WHERE instance = :instance AND name = :name"
        " AND (expires_at IS NULL OR expires_at > :now)",
        {"instance": instance, "name": storable(name), "now": to_db(await tx.now())},
    )
    return _found(rows.scalar_one_or_none())


async def set_of_task(
    tx: Transaction, instance: InstanceKey, name: str, value: Any, now: datetime, retention: timedelta | None
) -> None:
    """Keep the value in the place of one of this name; for `retention`, or without one as long as the instance."""
    row = {
        "instance": instance,
        "name": storable(name),
        "value": json.dumps(value),
        "at": to_db(now),
        "expires_at": None if retention is None else to_db(now + retention),
    }
    for statement in tx.dialect.replace("task_state", _TASK, keys=("instance", "name")):
        await tx.execute(statement, {"rows": as_json([row])})


async def change_of_task(tx: Transaction, instance: InstanceKey, name: str, value: Any, now: datetime) -> bool:
    """Put the value in the place of one of this name, for as long as that; False where there is none or it expired."""
    changed = await tx.execute(
        "UPDATE task_state SET value = :value, at = :now WHERE instance = :instance AND name = :name"
        " AND (expires_at IS NULL OR expires_at > :now)",
        {"value": json.dumps(value), "now": to_db(now), "instance": instance, "name": storable(name)},
    )
    return changed.rowcount == 1


async def delete_of_task(tx: Transaction, instance: InstanceKey, name: str | None) -> None:
    """Delete what the instance keeps under this name, or with None everything."""
    await _delete(tx, "task_state", "instance", instance, name)


async def delete_expired(tx: Transaction) -> int:
    """Delete what tasks keep no longer; return how many values that were."""
    gone = await tx.execute("DELETE FROM task_state WHERE expires_at <= :now", {"now": to_db(await tx.now())})
    return int(gone.rowcount)


async def get_of_asset(tx: Transaction, asset: int, name: str) -> Found | None:
    """Return what the asset keeps under this name, None where there is nothing."""
    rows = await tx.execute(
        "SELECT value FROM asset_state WHERE asset = :asset AND name = :name", {"asset": asset, "name": storable(name)}
    )
    return _found(rows.scalar_one_or_none())


async def set_of_asset(
    tx: Transaction, asset: int, name: str, value: Any, now: datetime, writer: InstanceKey | None
) -> None:
    """Keep the value in the place of one of this name; `writer` is the task instance that says so, None for others."""
    row = {"asset": asset, "name": storable(name), "value": json.dumps(value), "at": to_db(now), "writer": writer}
    for statement in tx.dialect.replace("asset_state", _ASSET, keys=("asset", "name")):
        await tx.execute(statement, {"rows": as_json([row])})


async def delete_of_asset(tx: Transaction, asset: int, name: str | None) -> None:
    """Delete what the asset keeps under this name, or with None everything."""
    await _delete(tx, "asset_state", "asset", asset, name)


def _found(value: str | None) -> Found | None:
    return None if value is None else Found(json.loads(value))


async def _delete(tx: Transaction, table: str, owned_by: str, owner: int, name: str | None) -> None:
    one = "" if name is None else " AND name = :name"
    named = {} if name is None else {"name": storable(name)}
    await tx.execute(f"DELETE FROM {table} WHERE {owned_by} = :owner{one}", {"owner": owner, **named})
