"""What admission must know: pools, what is taken, who waits; and which messages must be rung again."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowd.db.dialect import Kind
from flowd.db.ledger import choosing, read
from flowd.db.ledger.choosing import OPEN_QUEUE
from flowd.db.ledger.read import INSTANCE_COLUMNS, LIVE_RUN, WAITING_TASK, as_json, instance_of
from flowd.db.rows import Row
from flowd.db.transaction import Transaction
from flowd.domain.admission import Occupancy
from flowd.domain.ids import DagId, RunKey, TaskId
from flowd.domain.task_instance import TaskInstance

FIRST_RING_AGAIN = timedelta(seconds=60)
"""How long a confirmed message may stay unclaimed; it doubles with every ring."""

_MOST_DOUBLINGS = 6
_FREE = {"pool": "text", "slots": "int"}
_SENT = {"id": "int", "try_number": "int", "leg": "int", "patience": "int"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A scheduled instance with what admission asks of it; its DAG version says the rest."""

    instance: TaskInstance
    dag_version: int
    pool: str
    pool_slots: int
    priority: int


@dataclass(frozen=True, slots=True)
class Pools:
    """The size of every pool, and those in which a deferred instance keeps its slots."""

    sizes: Mapping[str, int]
    with_deferred: frozenset[str]


async def lock_pools(tx: Transaction) -> Pools:
    """Lock every pool in the order of their names: the first lock of the order, always."""
    return await _pools(tx, tx.dialect.for_update)


async def pools(tx: Transaction) -> Pools:
    """Read every pool without a lock."""
    return await _pools(tx, "")


async def _pools(tx: Transaction, lock: str) -> Pools:
    rows = list(await tx.execute(f"SELECT name, slots, include_deferred FROM pool ORDER BY name{lock}"))
    return Pools({name: slots for name, slots, _ in rows}, frozenset(name for name, _, keeps in rows if keeps))


async def occupancy(tx: Transaction, pools: Pools) -> tuple[Occupancy, dict[RunKey, int]]:
    """Return what queued and running instances hold, and the DAG version of each run that holds something.

    Deferred ones hold slots in some pools, and count in no other limit. What each task holds is left to `count_tasks`:
    few DAGs limit their tasks, and all have many.
    """
    rows = await tx.execute(
        "SELECT t.pool, t.dag_id, t.run, t.pool_slots, COUNT(*), MIN(d.dag_version)"
        # Only live runs hold anything, and to say so keeps the join from reading those that have ended.
        f" FROM task_instance t LEFT JOIN dag_run d ON d.id = t.run AND d.{LIVE_RUN}"
        " WHERE t.state IN ('queued', 'running') GROUP BY t.pool, t.dag_id, t.run, t.pool_slots"
    )
    held = Occupancy(pool_sizes=pools.sizes, slots_by_pool=Counter())
    versions: dict[RunKey, int] = {}
    for pool, dag_id, run, slots, tasks, version in rows:
        held.slots_by_pool[pool] += slots * tasks
        held.slots_by_pool_and_dag[pool, DagId(dag_id)] += slots * tasks
        held.tasks_by_run[RunKey(run)] += tasks
        if version is not None:
            versions[RunKey(run)] = version
    if pools.with_deferred:
        await _count_deferred(tx, pools.with_deferred, held)
    return held, versions


async def _count_deferred(tx: Transaction, pools: Collection[str], held: Occupancy) -> None:
    rows = await tx.execute(
        "SELECT pool, dag_id, SUM(pool_slots) FROM task_instance"
        f" WHERE {WAITING_TASK} AND state = 'deferred' AND pool IN {tx.dialect.keys('pools', 'text')}"
        " GROUP BY pool, dag_id",
        {"pools": json.dumps(sorted(pools))},
    )
    for pool, dag_id, slots in rows:
        held.slots_by_pool[pool] += int(slots)
        held.slots_by_pool_and_dag[pool, DagId(dag_id)] += int(slots)


async def count_tasks(tx: Transaction, held: Occupancy) -> None:
    """Add to `held` how many instances of each task are queued or running: what limits per task are held to."""
    rows = await tx.execute(
        "SELECT dag_id, run, task_id, COUNT(*) FROM task_instance"
        " WHERE state IN ('queued', 'running') GROUP BY dag_id, run, task_id"
    )
    for dag_id, run, task_id, tasks in rows:
        held.tasks_by_dag_task[DagId(dag_id), TaskId(task_id)] += tasks
        held.tasks_by_run_task[RunKey(run), TaskId(task_id)] += tasks


async def runs_with_waiters(tx: Transaction) -> list[RunKey]:
    """Return the running runs of unpaused DAGs that have scheduled instances in unpaused queues, in order, unlocked."""
    rows = await tx.execute(
        "SELECT d.id FROM dag_run d JOIN dag g ON g.dag_id = d.dag_id"
        f" WHERE d.{LIVE_RUN} AND d.state = 'running' AND NOT g.is_paused"
        f" AND EXISTS (SELECT 1 FROM task_instance x WHERE x.run = d.id AND x.state = 'scheduled' AND {OPEN_QUEUE})"
        " ORDER BY d.id"
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
) -> tuple[list[Waiter], datetime]:
    """Return the first `per_run` scheduled instances of each of `runs` that may go on, under lock, and the clock then.

    Whatever asks for more than the free slots of its pool, is in a paused queue, or meets a full run or task limit, is
    left out, so that it cannot hide those behind it.
    """
    open_runs = sorted(set(runs) - set(full_runs))
    free = as_json([{"pool": pool, "slots": slots} for pool, slots in free_slots.items()])
    full = sorted(f"{dag_id}/{task_id}" for dag_id, task_id in full_tasks)
    if tx.dialect.kind is Kind.MYSQL:
        return await _chosen_waiters(tx, open_runs, free=free, full_tasks=full, per_run=per_run)
    lock = " FOR UPDATE OF t SKIP LOCKED" if tx.dialect.for_update else ""
    chosen = (
        "SELECT x.id FROM task_instance x WHERE x.run = d.id AND x.state = 'scheduled'"
        f" AND EXISTS (SELECT 1 FROM {tx.dialect.rows(_FREE, parameter='free')}"
        f" WHERE r.pool = x.pool AND r.slots >= x.pool_slots) AND {OPEN_QUEUE}"
        f" AND (x.dag_id || '/' || x.task_id) NOT IN {tx.dialect.keys('full_tasks', 'text')}"
        " ORDER BY x.priority DESC, x.id LIMIT :per_run"
    )
    join = (
        # SQLite has no LATERAL; there the correlated subquery is evaluated once per run.
        f"JOIN task_instance t ON t.id IN ({chosen})"
        if tx.dialect.kind is Kind.SQLITE
        else f"CROSS JOIN LATERAL ({chosen}) AS c JOIN task_instance t ON t.id = c.id"
    )
    rows, now = await tx.lock(
        f"SELECT {INSTANCE_COLUMNS}, d.dag_version, t.pool, t.pool_slots, t.priority"
        f" FROM dag_run d JOIN dag g ON g.dag_id = d.dag_id {join}"
        f" WHERE d.{LIVE_RUN} AND d.state = 'running' AND NOT g.is_paused"
        f" AND d.id IN {tx.dialect.keys('open_runs')}{lock}",
        {
            "free": free,
            "open_runs": json.dumps(open_runs),
            "full_tasks": json.dumps(full),
            "per_run": per_run,
        },
    )
    return [_waiter(row, row["dag_version"]) for row in rows], now


async def _chosen_waiters(
    tx: Transaction, open_runs: Sequence[RunKey], *, free: str, full_tasks: Sequence[str], per_run: int
) -> tuple[list[Waiter], datetime]:
    rows = await tx.execute(
        "SELECT d.id, d.dag_version FROM dag_run d JOIN dag g ON g.dag_id = d.dag_id"
        f" WHERE d.id IN {tx.dialect.keys()} AND d.state = 'running' AND NOT g.is_paused ORDER BY d.id",
        {"keys": json.dumps(open_runs)},
    )
    versions = {RunKey(key): version for key, version in rows}
    chosen = await choosing.scheduled(tx, list(versions), free=free, full_tasks=full_tasks, per_run=per_run)
    held, now = await tx.lock(
        f"SELECT {INSTANCE_COLUMNS}, t.pool, t.pool_slots, t.priority FROM task_instance t{tx.dialect.by_key}"
        f" WHERE t.id IN {tx.dialect.keys()} AND t.state = 'scheduled' ORDER BY t.id{tx.dialect.skip_locked}",
        {"keys": json.dumps(sorted(chosen))},
    )
    return [_waiter(row, versions[RunKey(row["run"])]) for row in held], now


def _waiter(row: Row, dag_version: int) -> Waiter:
    return Waiter(
        instance=instance_of(row),
        dag_version=dag_version,
        pool=row["pool"],
        pool_slots=row["pool_slots"],
        priority=row["priority"],
    )


async def still_queued(tx: Transaction, sent: Sequence[TaskInstance]) -> list[TaskInstance]:
    """Return those of these tries that nobody has claimed yet, without a lock."""
    rows = await tx.execute(
        f"SELECT id, try_number, leg FROM task_instance WHERE id IN {tx.dialect.keys()} AND state = 'queued'",
        {"keys": json.dumps([one.key for one in sent])},
    )
    waiting = {tuple(row) for row in rows}
    return [one for one in sent if (one.key, one.try_number, one.leg) in waiting]


async def mark_dispatched(tx: Transaction, sent: Sequence[TaskInstance]) -> None:
    """Record that the broker has confirmed the messages of these queued tries; a later try has one of its own."""
    await read.lock_instances(tx, [one.key for one in sent])
    doublings = f"CASE WHEN rings > {_MOST_DOUBLINGS} THEN {1 << _MOST_DOUBLINGS} ELSE (1 << rings) END"
    statement = tx.dialect.update(
        "task_instance",
        {"dispatched_at": tx.dialect.now, "ring_at": f"{tx.dialect.now} + r.patience * {doublings}"},
        rows=tx.dialect.rows(_SENT),
        where="task_instance.id = r.id AND task_instance.try_number = r.try_number"
        " AND task_instance.leg = r.leg AND state = 'queued'",
    )
    # With the rows, whose columns have a type: a parameter would get that of `rings`, which is too small for an hour.
    patience = FIRST_RING_AGAIN // timedelta(microseconds=1)
    rows = [{"id": one.key, "try_number": one.try_number, "leg": one.leg, "patience": patience} for one in sent]
    await tx.execute(statement, {"rows": as_json(rows)})


async def to_ring_again(tx: Transaction, *, hold_off: timedelta, limit: int) -> list[TaskInstance]:
    """Return queued instances whose message is overdue, less those others ring now, and put off their next ring.

    Only what was confirmed and not taken for all that counts as rung: while the broker is away patience does not grow.
    """
    rows = await choosing.free(
        tx,
        "task_instance",
        INSTANCE_COLUMNS,
        f"t.state = 'queued' AND t.ring_at <= {tx.dialect.now}",
        {},
        order="t.ring_at",
        limit=limit,
    )
    overdue = [instance_of(row) for row in rows]
    if overdue:
        await tx.execute(
            f"UPDATE task_instance{tx.dialect.by_key} SET ring_at = {tx.dialect.now} + :hold_off,"
            # In this order: MySQL sets one column after the other.
            " rings = rings + CASE WHEN dispatched_at IS NULL THEN 0 ELSE 1 END, dispatched_at = NULL"
            f" WHERE id IN {tx.dialect.keys()} AND state = 'queued'",
            {
                "keys": json.dumps([instance.key for instance in overdue]),
                "hold_off": hold_off // timedelta(microseconds=1),
            },
        )
    return overdue
