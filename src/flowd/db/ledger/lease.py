"""Claims and leases: how a worker takes a try, keeps it, and how a silent worker is found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowd.db.dialect import Kind
from flowd.db.ledger import choosing
from flowd.db.ledger.read import INSTANCE_COLUMNS, instance_of
from flowd.db.transaction import Transaction
from flowd.domain.ids import ClaimToken, InstanceKey
from flowd.domain.lease import ExpiredLease
from flowd.domain.task_instance import TaskInstance


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A lease that has been prolonged; `is_cancel_requested` asks the worker to kill the try."""

    token: ClaimToken
    is_cancel_requested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What became of the leases of a heartbeat: `kept`, or still standing while another transaction holds the row."""

    kept: Mapping[InstanceKey, Kept]
    busy: frozenset[ClaimToken]


async def is_anything_queued(tx: Transaction, queues: Sequence[str]) -> bool:
    """Return whether one of these queues has a queued instance, locked or not."""
    if tx.dialect.kind is Kind.MYSQL:
        return bool(await choosing.queued(tx, queues, limit=1))
    rows = await tx.execute(
        "SELECT t.id FROM task_instance t"
        f" WHERE t.state = 'queued' AND t.queue IN {tx.dialect.keys(type_='text')} LIMIT 1",
        {"keys": json.dumps(list(queues))},
    )
    return rows.first() is not None


async def next_queued(tx: Transaction, queues: Sequence[str], *, limit: int) -> tuple[list[TaskInstance], datetime]:
    """Return queued instances of these queues under lock, less those that others hold, highest priority first.

    With them comes the metastore's clock when they were locked.
    """
    if tx.dialect.kind is Kind.MYSQL:
        return await _next_chosen(tx, queues, limit=limit)
    rows, now = await tx.lock(
        f"SELECT {INSTANCE_COLUMNS} FROM task_instance t"
        f" WHERE t.state = 'queued' AND t.queue IN {tx.dialect.keys(type_='text')}"
        f" ORDER BY t.priority DESC, t.id LIMIT :limit{tx.dialect.skip_locked}",
        {"keys": json.dumps(list(queues)), "limit": limit},
    )
    return [instance_of(row) for row in rows], now


async def _next_chosen(tx: Transaction, queues: Sequence[str], *, limit: int) -> tuple[list[TaskInstance], datetime]:
    chosen = await choosing.queued(tx, queues, limit=limit + choosing.SPARE)
    rows, now = await tx.lock(
        f"SELECT {INSTANCE_COLUMNS} FROM {tx.dialect.rows(choosing.CHOSEN)}"
        " STRAIGHT_JOIN task_instance t FORCE INDEX (PRIMARY) ON t.id = r.id WHERE t.state = 'queued'"
        f" LIMIT :limit{tx.dialect.skip_locked}",
        {"rows": choosing.in_order(chosen), "limit": limit},
    )
    return [instance_of(row) for row in rows], now


async def prolong(tx: Transaction, held: Mapping[InstanceKey, ClaimToken], lease: timedelta) -> dict[InstanceKey, Kept]:
    """Prolong these leases by the metastore's clock and return those that still stand: any other is fenced."""
    return await _prolong(tx, held, lease, lock=tx.dialect.for_update)


async def renew(tx: Transaction, held: Mapping[InstanceKey, ClaimToken], lease: timedelta) -> Heard:
    """Prolong these leases as `prolong` does, but wait for no lock: one held row must not cost the others their lease.

    A token neither kept nor busy is fenced.
    """
    kept = await _prolong(tx, held, lease, lock=tx.dialect.skip_locked)
    rest = {key: token for key, token in held.items() if key not in kept}
    if not rest:
        return Heard(kept=kept, busy=frozenset())
    # A second look, which locks nothing: what was passed over for its lock is not gone.
    rows = await tx.execute(
        f"SELECT id, token FROM task_instance WHERE id IN {tx.dialect.keys()} AND state = 'running'",
        {"keys": json.dumps(sorted(rest))},
    )
    return Heard(kept=kept, busy=frozenset(ClaimToken(token) for key, token in rows if rest[InstanceKey(key)] == token))


async def _prolong(
    tx: Transaction, held: Mapping[InstanceKey, ClaimToken], lease: timedelta, *, lock: str
) -> dict[InstanceKey, Kept]:
    # Locked in the order that everyone keeps to: an UPDATE alone takes rows in any order, and could deadlock.
    rows = await tx.execute(
        f"SELECT id, token, is_cancel_requested FROM task_instance{tx.dialect.by_key}"
        f" WHERE id IN {tx.dialect.keys()} AND state = 'running' ORDER BY id{lock}",
        {"keys": json.dumps(sorted(held))},
    )
    kept = {
        InstanceKey(key): Kept(token=ClaimToken(token), is_cancel_requested=bool(cancel))
        for key, token, cancel in rows
        if held[InstanceKey(key)] == token
    }
    if kept:
        await tx.execute(
            f"UPDATE task_instance{tx.dialect.by_key}"
            f" SET lease_until = {tx.dialect.now} + :lease, heartbeats = heartbeats + 1"
            f" WHERE id IN {tx.dialect.keys()}",
            {"keys": json.dumps(sorted(kept)), "lease": lease // timedelta(microseconds=1)},
        )
    return kept


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
    """Return what ended each claim of these instances that is over, by its token."""
    rows = await tx.execute(
        f"SELECT token, cause FROM task_transition WHERE instance IN {tx.dialect.keys()}"
        " AND from_state = 'running' AND to_state <> 'running'",
        {"keys": json.dumps(list(keys))},
    )
    return {ClaimToken(token): cause for token, cause in rows}


async def held_by(tx: Transaction, worker: str) -> dict[InstanceKey, ClaimToken]:
    """Return the tokens that a worker of this name holds: at its start, those its predecessor left behind."""
    rows = await tx.execute(
        "SELECT id, token FROM task_instance WHERE state = 'running' AND worker = :worker", {"worker": worker}
    )
    return {InstanceKey(key): ClaimToken(token) for key, token in rows}
