"""Reading runs and task instances, under a row lock where they are about to be changed."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flowd.db.columns import quoted
from flowd.db.moments import from_db
from flowd.db.rows import Row
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun
from flowd.domain.ids import BundleHash, DagId, InstanceKey, RunId, RunKey
from flowd.domain.states import WAITING, RunState, TaskState
from flowd.domain.tally import Tally
from flowd.domain.task_instance import TaskInstance

INSTANCE_COLUMNS = (
    "t.id, t.run, t.dag_id, t.task_id, t.map_index, t.state, t.version, t.try_number, t.max_tries, t.leg, t.lost,"
    " t.token, t.worker, t.lease_until, t.is_cancel_requested, t.held_until, t.not_before, t.waits_since, t.skips,"
    " t.needs_propagation, t.scheduled_at, t.queued_at, t.started_at, t.ended_at"
)
TALLY_COLUMNS = "t.up_success, t.up_failed, t.up_skipped, t.up_upstream_failed, t.up_removed, t.up_extra"
RUN_COLUMNS = (
    "d.id, d.dag_id, d.run_id, d.dag_version, d.bundle, d.state, d.version, d.unfinished, d.logical_date,"
    " d.run_after, d.started_at, d.ended_at, d.timeout_at, d.has_news, d.backfill, d.backfill_ordinal,"
    " d.logical_date IS NOT NULL AND d.data_interval_start IS NULL AS lacks_interval"
)

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode  # json.dumps would make one for each call

LIVE_RUN = "state IN ('queued', 'running')"
"""The condition of the index of live runs, word for word: SQLite uses a partial index only where it finds it again."""

WAITING_TASK = f"state IN ({quoted(list(WAITING))})"
"""The condition of the index of instances that wait, word for word as well."""


async def instances(
    tx: Transaction, keys: Sequence[InstanceKey], *, lock: bool = True
) -> dict[InstanceKey, TaskInstance]:
    """Return the instances that exist, locked in the order of their keys unless told otherwise."""
    statement = (
        f"SELECT {INSTANCE_COLUMNS} FROM task_instance t{tx.dialect.by_key} WHERE t.id IN {tx.dialect.keys()}"
        " ORDER BY t.id" + (tx.dialect.for_update if lock else "")
    )
    rows = (await tx.execute(statement, {"keys": json.dumps(list(keys))})).mappings()
    return {InstanceKey(row["id"]): instance_of(row) for row in rows}


async def hold(tx: Transaction, keys: Sequence[InstanceKey]) -> tuple[dict[InstanceKey, TaskInstance], datetime]:
    """Return the instances that exist, locked in the order of their keys, and the metastore's clock with the locks."""
    rows, now = await tx.lock(
        f"SELECT {INSTANCE_COLUMNS} FROM task_instance t{tx.dialect.by_key} WHERE t.id IN {tx.dialect.keys()}"
        f" ORDER BY t.id{tx.dialect.for_update}",
        {"keys": json.dumps(list(keys))},
    )
    return {InstanceKey(row["id"]): instance_of(row) for row in rows}, now


async def lock_instances(tx: Transaction, keys: Sequence[InstanceKey]) -> None:
    """Lock the instances in the order of their keys, for a statement that by itself would lock them in any order."""
    if tx.dialect.for_update:
        await tx.execute(
            f"SELECT id FROM task_instance{tx.dialect.by_key} WHERE id IN {tx.dialect.keys()}"
            f" ORDER BY id{tx.dialect.for_update}",
            {"keys": json.dumps(list(keys))},
        )


async def runs(tx: Transaction, keys: Sequence[RunKey]) -> list[DagRun]:
    """Return these runs under a row lock, in the order of their keys."""
    statement = (
        f"SELECT {RUN_COLUMNS} FROM dag_run d{tx.dialect.by_key} WHERE d.id IN {tx.dialect.keys()}"
        f" ORDER BY d.id{tx.dialect.for_update}"
    )
    rows = (await tx.execute(statement, {"keys": json.dumps(list(keys))})).mappings()
    return [run_of(row) for row in rows]


async def free_runs(tx: Transaction, keys: Sequence[RunKey]) -> tuple[list[DagRun], datetime]:
    """Return under a row lock those of these runs that nobody else holds, and the metastore's clock with the locks."""
    rows, now = await tx.lock(
        f"SELECT {RUN_COLUMNS} FROM dag_run d{tx.dialect.by_key} WHERE d.id IN {tx.dialect.keys()}"
        f" ORDER BY d.id{tx.dialect.skip_locked}",
        {"keys": json.dumps(list(keys))},
    )
    return [run_of(row) for row in rows], now


async def run(tx: Transaction, key: RunKey) -> DagRun:
    """Return this run, which exists, without a lock."""
    rows = await tx.execute(f"SELECT {RUN_COLUMNS} FROM dag_run d WHERE d.id = :id", {"id": key})
    return run_of(rows.mappings().one())


async def scheduling_of(tx: Transaction, key: InstanceKey) -> tuple[str, int] | None:
    """Return the instance's task and when it was scheduled, which it has in common with those scheduled with it."""
    rows = await tx.execute("SELECT task_id, scheduled_at FROM task_instance WHERE id = :id", {"id": key})
    for task_id, scheduled_at in rows:
        return None if scheduled_at is None else (task_id, scheduled_at)
    return None


def instance_of(row: Row) -> TaskInstance:
    """Return the value of a row that has INSTANCE_COLUMNS."""
    return TaskInstance(
        key=row["id"],
        run=row["run"],
        dag_id=row["dag_id"],
        task_id=row["task_id"],
        map_index=row["map_index"],
        state=TaskState(row["state"]),
        version=row["version"],
        try_number=row["try_number"],
        max_tries=row["max_tries"],
        leg=row["leg"],
        lost=row["lost"],
        token=row["token"],
        worker=row["worker"],
        lease_until=from_db(row["lease_until"]),
        is_cancel_requested=bool(row["is_cancel_requested"]),
        held_until=from_db(row["held_until"]),
        not_before=from_db(row["not_before"]),
        waits_since=from_db(row["waits_since"]),
        skips=tuple(json.loads(row["skips"])) if row["skips"] else (),
        needs_propagation=bool(row["needs_propagation"]),
        scheduled_at=from_db(row["scheduled_at"]),
        queued_at=from_db(row["queued_at"]),
        started_at=from_db(row["started_at"]),
        ended_at=from_db(row["ended_at"]),
    )


def tally_of(row: Row) -> Tally:
    """Return the upstream tally of a row that has TALLY_COLUMNS."""
    return Tally(
        success=row["up_success"],
        failed=row["up_failed"],
        skipped=row["up_skipped"],
        upstream_failed=row["up_upstream_failed"],
        removed=row["up_removed"],
        extra=row["up_extra"],
    )


def run_of(row: Row) -> DagRun:
    """Return the value of a row that has RUN_COLUMNS."""
    return DagRun(
        key=RunKey(row["id"]),
        dag_id=DagId(row["dag_id"]),
        run_id=RunId(row["run_id"]),
        dag_version=row["dag_version"],
        bundle=BundleHash(row["bundle"]),
        state=RunState(row["state"]),
        version=row["version"],
        unfinished=row["unfinished"],
        logical_date=from_db(row["logical_date"]),
        run_after=from_db(row["run_after"]),
        started_at=from_db(row["started_at"]),
        ended_at=from_db(row["ended_at"]),
        timeout_at=from_db(row["timeout_at"]),
        has_news=bool(row["has_news"]),
        lacks_interval=bool(row["lacks_interval"]),
        backfill=row["backfill"],
        backfill_ordinal=row["backfill_ordinal"],
    )


def as_json(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as the JSON document that `Dialect.rows` reads."""
    return _encode(rows)
