"""Claims and leases: how a worker takes a try, keeps it, and how a silent worker is found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flowd.db.ledger import read
from flowd.db.ledger.read import INSTANCE_COLUMNS, as_json, instance_of
from flowd.db.transaction import Transaction
from flowd.domain.ids import ClaimToken, InstanceKey
from flowd.domain.lease import ExpiredLease
from flowd.domain.task_instance import TaskInstance

_HELD = {"id": "int", "token": "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A lease that has been prolonged; `is_cancel_requested` asks the worker to kill the try."""

    token: ClaimToken
    is_cancel_requested: bool


async def next_queued(tx: Transaction, queues: Sequence[str], *, limit: int, lock: bool = True) -> list[TaskInstance]:
    """Return queued instances of these queues, highest priority first; under lock, less those that others hold."""
    rows = await tx.execute(
        f"SELECT {INSTANCE_COLUMNS} FROM task_instance t"
        f" WHERE t.state = 'queued' AND t.queue IN {tx.dialect.keys(type_='text')}"
        f" ORDER BY t.priority DESC, t.id LIMIT :limit{tx.dialect.skip_locked if lock else ''}",
        {"keys": json.dumps(list(queues)), "limit": limit},
    )
    return [instance_of(row) for row in rows.mappings()]


async def prolong(tx: Transaction, held: Mapping[InstanceKey, ClaimToken], lease: timedelta) -> dict[InstanceKey, Kept]:
    """Prolong these leases by the metastore's clock and return those that still stand: any other is fenced."""
    # Locked in the order that everyone keeps to: an UPDATE alone takes rows in any order, and could deadlock.
    await read.lock_instances(tx, list(held))
    rows = await tx.execute(
        f"UPDATE task_instance SET lease_until = {tx.dialect.now} + :lease, heartbeats = heartbeats + 1"
        f" FROM {tx.dialect.rows(_HELD)}"
        " WHERE task_instance.id = r.id AND task_instance.token = r.token AND task_instance.state = 'running'"
        " RETURNING task_instance.id, task_instance.token, task_instance.is_cancel_requested",
        {
            "rows": as_json([{"id": key, "token": token} for key, token in sorted(held.items())]),
            "lease": lease // timedelta(microseconds=1),
        },
    )
    return {
        InstanceKey(key): Kept(token=ClaimToken(token), is_cancel_requested=bool(cancel)) for key, token, cancel in rows
    }


async def expired(tx: Transaction, *, limit: int) -> list[ExpiredLease]:
    """Return running instances whose lease has ended by the metastore's clock."""
    rows = await tx.execute(
        "SELECT id, token, heartbeats FROM task_instance"
        f" WHERE state = 'running' AND lease_until < {tx.dialect.now} ORDER BY lease_until LIMIT :limit",
        {"limit": limit},
    )
    return [
        ExpiredLease(key=InstanceKey(key), token=ClaimToken(token), heartbeats=heartbeats)
        for key, token, heartbeats in rows
    ]


async def standing(tx: Transaction, key: InstanceKey, token: ClaimToken) -> bool:
    """Return whether this token is the current one, and lock the instance so that it stays so in this transaction."""
    rows = await tx.execute(
        f"SELECT id FROM task_instance WHERE id = :id AND token = :token AND state = 'running'{tx.dialect.for_update}",
        {"id": key, "token": token},
    )
    return rows.first() is not None


async def ends(tx: Transaction, keys: Sequence[InstanceKey]) -> dict[ClaimToken, str]:
    """Return what ended each try of these instances that has ended, by its token."""
    rows = await tx.execute(
        f"SELECT token, cause FROM attempt WHERE instance IN {tx.dialect.keys()}", {"keys": json.dumps(list(keys))}
    )
    return {ClaimToken(token): cause for token, cause in rows}


async def held_by(tx: Transaction, worker: str) -> dict[InstanceKey, ClaimToken]:
    """Return the tokens that a worker of this name holds: at its start, those its predecessor left behind."""
    rows = await tx.execute(
        "SELECT id, token FROM task_instance WHERE state = 'running' AND worker = :worker", {"worker": worker}
    )
    return {InstanceKey(key): ClaimToken(token) for key, token in rows}
