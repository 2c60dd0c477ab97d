"""Choosing rows before they are locked, for MySQL and MariaDB.

InnoDB locks every row that a statement sorts, not just the few that its LIMIT lets through: a claim of four would keep
all that is queued from the other workers. So the rows are found first, in index order and without a lock, and then
locked by key, where each is looked at again. InnoDB also locks what it reads of an index before the row, and whoever
changes the row locks the two the other way round: locking what is found by a column that changes would deadlock.

Nor has MariaDB LATERAL: "the first of each" is a UNION ALL of one SELECT for each, by constants that an index can begin
with.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flowd.db.dialect import Kind
from flowd.db.ledger.read import as_json
from flowd.db.rows import Row
from flowd.db.transaction import Transaction
from flowd.domain.ids import InstanceKey, RunKey

SPARE = 64
"""How many more are chosen than wanted: others may be taking the first of them at this moment."""

_MOST_RUNS = 100
"""Runs that one statement looks at: few texts, and none that a server would find too deep."""

CHOSEN = {"id": "int"}

OPEN_QUEUE = "x.queue NOT IN (SELECT name FROM task_queue)"
"""The condition that an instance, called x, is in no paused queue."""


async def locked(
    tx: Transaction, table: str, columns: str, condition: str, parameters: Mapping[str, Any]
) -> Sequence[Row]:
    """Return the rows of `table`, called t, that meet the condition, locked in the order of their ids.

    On MySQL one that comes to meet it only now may be left out, as one is that is written a moment later.
    """
    if tx.dialect.kind is not Kind.MYSQL:
        rows = await tx.execute(
            f"SELECT {columns} FROM {table} t WHERE {condition} ORDER BY t.id{tx.dialect.for_update}", parameters
        )
        return rows.mappings().all()
    chosen = await tx.execute(f"SELECT t.id FROM {table} t WHERE {condition}", parameters)
    return await _by_key(
        tx, table, columns, [key for (key,) in chosen], condition, parameters, lock=tx.dialect.for_update
    )


async def free(
    tx: Transaction,
    table: str,
    columns: str,
    condition: str,
    parameters: Mapping[str, Any],
    *,
    order: str,
    limit: int,
) -> Sequence[Row]:
    """Return the first rows of `table`, called t, that meet the condition, under lock, less those that others hold."""
    first = f"FROM {table} t WHERE {condition} ORDER BY {order} LIMIT :limit"
    known = {**parameters, "limit": limit}
    if tx.dialect.kind is not Kind.MYSQL:
        return (await tx.execute(f"SELECT {columns} {first}{tx.dialect.skip_locked}", known)).mappings().all()
    chosen = await tx.execute(f"SELECT t.id {first}", known)
    return await _by_key(
        tx, table, columns, [key for (key,) in chosen], condition, parameters, lock=tx.dialect.skip_locked
    )


async def _by_key(
    tx: Transaction,
    table: str,
    columns: str,
    keys: Sequence[int],
    condition: str,
    parameters: Mapping[str, Any],
    *,
    lock: str,
) -> Sequence[Row]:
    if not keys:
        return []
    rows = await tx.execute(
        f"SELECT {columns} FROM {table} t{tx.dialect.by_key}"
        f" WHERE t.id IN {tx.dialect.keys('chosen')} AND ({condition}) ORDER BY t.id{lock}",
        {**parameters, "chosen": json.dumps(keys)},
    )
    return rows.mappings().all()


async def queued(tx: Transaction, queues: Sequence[str], *, limit: int) -> list[InstanceKey]:
    """Return the first queued instances of these queues, highest priority first, without a lock."""
    if not queues:
        return []
    of_each = (
        "(SELECT id, priority FROM task_instance FORCE INDEX (ix_task_instance_state)"
        f" WHERE state = 'queued' AND queue = :queue_{place} ORDER BY priority DESC, id LIMIT :limit)"
        for place in range(len(queues))
    )
    return await _keys(
        tx,
        f"{' UNION ALL '.join(of_each)} ORDER BY priority DESC, id LIMIT :limit",
        {"limit": limit, **{f"queue_{place}": name for place, name in enumerate(queues)}},
    )


async def scheduled(
    tx: Transaction, runs: Sequence[RunKey], *, free: str, full_tasks: Sequence[str], per_run: int
) -> list[InstanceKey]:
    """Return the first scheduled instances of each run, without a lock; dispatch.waiters says which are left out."""
    found: list[InstanceKey] = []
    for start in range(0, len(runs), _MOST_RUNS):
        some = runs[start : start + _MOST_RUNS]
        of_each = (
            "(SELECT x.id FROM task_instance x FORCE INDEX (ix_task_instance_run_state)"
            f" WHERE x.run = :run_{place} AND x.state = 'scheduled'"
            f" AND EXISTS (SELECT 1 FROM {tx.dialect.rows({'pool': 'text', 'slots': 'int'}, parameter='free')}"
            f" WHERE r.pool = x.pool AND r.slots >= x.pool_slots) AND {OPEN_QUEUE}"
            f" AND (x.dag_id || '/' || x.task_id) NOT IN {tx.dialect.keys('full_tasks', 'text')}"
            " ORDER BY x.priority DESC, x.id LIMIT :per_run)"
            for place in range(len(some))
        )
        found += await _keys(
            tx,
            " UNION ALL ".join(of_each),
            {
                "free": free,
                "full_tasks": json.dumps(list(full_tasks)),
                "per_run": per_run,
                **{f"run_{place}": run for place, run in enumerate(some)},
            },
        )
    return found


async def _keys(tx: Transaction, statement: str, parameters: dict[str, Any]) -> list[InstanceKey]:
    return [InstanceKey(row[0]) for row in await tx.execute(statement, parameters)]


def in_order(keys: Sequence[InstanceKey]) -> str:
    """Return chosen keys as rows of CHOSEN, which a STRAIGHT_JOIN visits in their order."""
    return as_json([{"id": key} for key in keys])
