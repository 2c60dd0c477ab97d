"""What admission must know: pools, what is taken, who waits; and which messages must be rung again."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flowd.db.dialect import Kind
from flowd.db.ledger import read
from flowd.db.ledger.read import INSTANCE_COLUMNS, LIVE_RUN, as_json, instance_of
from flowd.db.transaction import Transaction
from flowd.domain.admission import Occupancy
from flowd.domain.ids import DagId, RunKey, TaskId
from flowd.domain.task_instance import TaskInstance

FIRST_RING_AGAIN = timedelta(seconds=60)
"""How long a confirmed message may stay unclaimed; it doubles with every ring."""

_MOST_DOUBLINGS = 6
_FREE = {"pool": "text", "slots": "int"}
_TRY = {"id": "int", "try_number": "int"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A scheduled instance with what admission asks of it; its DAG version says the rest."""

    instance: TaskInstance
    dag_version: int
    pool: str
    pool_slots: int
    priority: int


async def lock_pools(tx: Transaction) -> dict[str, int]:
    """Lock every pool in the order of their names and return their sizes: the first lock of the order, always."""
    rows = await tx.execute(f"SELECT name, slots FROM pool ORDER BY name{tx.dialect.for_update}")
    return {name: slots for name, slots in rows}


async def pool_sizes(tx: Transaction) -> dict[str, int]:
    """Return the size of every pool, without a lock."""
    return {name: slots for name, slots in await tx.execute("SELECT name, slots FROM pool")}


async def occupancy(tx: Transaction, pool_sizes: Mapping[str, int]) -> tuple[Occupancy, dict[RunKey, int]]:
    """Return what queued and running instances hold, and the DAG version of each run that holds something."""
    rows = await tx.execute(
        "SELECT t.pool, t.dag_id, t.run, t.task_id, t.pool_slots, COUNT(*), MIN(d.dag_version)"
        # Only live runs hold anything, and to say so keeps the join from reading those that have ended.
        f" FROM task_instance t LEFT JOIN dag_run d ON d.id = t.run AND d.{LIVE_RUN}"
        " WHERE t.state IN ('queued', 'running') GROUP BY t.pool, t.dag_id, t.run, t.task_id, t.pool_slots"
    )
    held = Occupancy(pool_sizes=pool_sizes, slots_by_pool=Counter())
    versions: dict[RunKey, int] = {}
    for pool, dag_id, run, task_id, slots, tasks, version in rows:
        held.slots_by_pool[pool] += slots * tasks
        held.slots_by_pool_and_dag[pool, DagId(dag_id)] += slots * tasks
        held.tasks_by_run[RunKey(run)] += tasks
        held.tasks_by_dag_task[DagId(dag_id), TaskId(task_id)] += tasks
        held.tasks_by_run_task[RunKey(run), TaskId(task_id)] += tasks
        if version is not None:
            versions[RunKey(run)] = version
    return held, versions


async def runs_with_waiters(tx: Transaction) -> list[RunKey]:
    """Return the running runs of unpaused DAGs that have scheduled instances, in order, without a lock."""
    rows = await tx.execute(
        "SELECT d.id FROM dag_run d JOIN dag g ON g.dag_id = d.dag_id"
        f" WHERE d.{LIVE_RUN} AND d.state = 'running' AND NOT g.is_paused"
        " AND EXISTS (SELECT 1 FROM task_instance x WHERE x.run = d.id AND x.state = 'scheduled') ORDER BY d.id"
    )
    return [RunKey(key) for (key,) in rows]


async def waiters(
    tx: Transaction,
    *,
    runs: Collection[RunKey],
    free_slots: Mapping[str, int],
    full_runs: Collection[RunKey],
    full_tasks: Collection[tuple[DagId, TaskId]],
    per_run: int,
) -> list[Waiter]:
    """Return the first `per_run` scheduled instances of each of `runs` that may go on, under lock.

    Whatever asks for more than the free slots of its pool, or meets a full run or task limit, is left out, so that it
    cannot hide those behind it.
    """
    lock = " FOR UPDATE OF t SKIP LOCKED" if tx.dialect.for_update else ""
    chosen = (
        "SELECT x.id FROM task_instance x WHERE x.run = d.id AND x.state = 'scheduled'"
        f" AND EXISTS (SELECT 1 FROM {tx.dialect.rows(_FREE, parameter='free')}"
        " WHERE r.pool = x.pool AND r.slots >= x.pool_slots)"
        f" AND (x.dag_id || '/' || x.task_id) NOT IN {tx.dialect.keys('full_tasks', 'text')}"
        " ORDER BY x.priority DESC, x.id LIMIT :per_run"
    )
    join = (
        # SQLite has no LATERAL; there the correlated subquery is evaluated once per run.
        f"JOIN task_instance t ON t.id IN ({chosen})"
        if tx.dialect.kind is Kind.SQLITE
        else f"CROSS JOIN LATERAL ({chosen}) AS c JOIN task_instance t ON t.id = c.id"
    )
    rows = await tx.execute(
        f"SELECT {INSTANCE_COLUMNS}, d.dag_version, t.pool, t.pool_slots, t.priority"
        f" FROM dag_run d JOIN dag g ON g.dag_id = d.dag_id {join}"
        f" WHERE d.{LIVE_RUN} AND d.state = 'running' AND NOT g.is_paused"
        f" AND d.id IN {tx.dialect.keys('open_runs')}{lock}",
        {
            "free": as_json([{"pool": pool, "slots": slots} for pool, slots in free_slots.items()]),
            "open_runs": json.dumps(sorted(set(runs) - set(full_runs))),
            "full_tasks": json.dumps(sorted(f"{dag_id}/{task_id}" for dag_id, task_id in full_tasks)),
            "per_run": per_run,
        },
    )
    return [
        Waiter(
            instance=instance_of(row),
            dag_version=row["dag_version"],
            pool=row["pool"],
            pool_slots=row["pool_slots"],
            priority=row["priority"],
        )
        for row in rows.mappings()
    ]


async def mark_dispatched(tx: Transaction, sent: Sequence[TaskInstance]) -> None:
    """Record that the broker has confirmed the messages of these queued tries; a later try has one of its own."""
    await read.lock_instances(tx, [one.key for one in sent])
    await tx.execute(
        f"UPDATE task_instance SET dispatched_at = {tx.dialect.now}, ring_at = {tx.dialect.now} + :patience"
        f" * CASE WHEN rings > {_MOST_DOUBLINGS} THEN {1 << _MOST_DOUBLINGS} ELSE (1 << rings) END"
        f" FROM {tx.dialect.rows(_TRY)}"
        " WHERE task_instance.id = r.id AND task_instance.try_number = r.try_number AND state = 'queued'",
        {
            "rows": as_json([{"id": one.key, "try_number": one.try_number} for one in sent]),
            "patience": FIRST_RING_AGAIN // timedelta(microseconds=1),
        },
    )


async def to_ring_again(tx: Transaction, *, hold_off: timedelta, limit: int) -> list[TaskInstance]:
    """Return queued instances whose message is overdue, less those others ring now, and put off their next ring."""
    rows = await tx.execute(
        f"SELECT {INSTANCE_COLUMNS} FROM task_instance t WHERE t.state = 'queued' AND t.ring_at <= {tx.dialect.now}"
        f" ORDER BY t.ring_at LIMIT :limit{tx.dialect.skip_locked}",
        {"limit": limit},
    )
    overdue = [instance_of(row) for row in rows.mappings()]
    if overdue:
        await tx.execute(
            f"UPDATE task_instance SET ring_at = {tx.dialect.now} + :hold_off, rings = rings + 1"
            f" WHERE id IN {tx.dialect.keys()} AND state = 'queued'",
            {
                "keys": json.dumps([instance.key for instance in overdue]),
                "hold_off": hold_off // timedelta(microseconds=1),
            },
        )
    return overdue
