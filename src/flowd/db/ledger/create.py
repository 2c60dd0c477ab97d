"""Making runs and, when a run starts, its task instances."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from flowd.db.ledger.read import RUN_COLUMNS, run_of
from flowd.db.moments import to_db
from flowd.db.tables import dag_run, task_instance
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun
from flowd.domain.data_interval import DataInterval
from flowd.domain.deadline import DeadlineSpec, next_due
from flowd.domain.errors import Conflict
from flowd.domain.graph import Graph
from flowd.domain.ids import UNMAPPED, BackfillKey, BundleHash, DagId, RunId, RunKey, TaskId
from flowd.domain.states import RunState, RunType, TaskState, TriggeredBy
from flowd.domain.task_dates import absent_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What must be said to make a run."""

    dag_id: DagId
    run_id: RunId
    dag_version: int
    bundle: BundleHash
    run_type: RunType
    triggered_by: TriggeredBy
    run_after: datetime
    logical_date: datetime | None = None
    data_interval: DataInterval | None = None
    partition_key: str | None = None
    partition_date: datetime | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None
    triggering_user: str | None = None
    idempotency_key: str | None = None
    deadlines: Sequence[DeadlineSpec] = ()
    backfill: BackfillKey | None = None
    backfill_ordinal: int | None = None


async def create_run(tx: Transaction, new: NewRun, now: datetime) -> DagRun:
    """Insert the run as queued, with news for the advancer.

    Raises Conflict, and leaves the transaction usable, where the DAG has a run of this id, logical date or
    idempotency key: of any number of nodes that try, one succeeds.
    """
    try:
        async with tx.connection.begin_nested():
            result = await tx.execute(insert(dag_run).values(row_of(new, now)))
    except IntegrityError as error:
        date = f" or logical date {new.logical_date.isoformat()}" if new.logical_date else ""
        raise Conflict(f"DAG {new.dag_id!r} has a run with the id {new.run_id!r}{date} already") from error
    key = RunKey(result.inserted_primary_key[0])  # type: ignore[index]
    return DagRun(
        key=key,
        dag_id=new.dag_id,
        run_id=new.run_id,
        dag_version=new.dag_version,
        bundle=new.bundle,
        logical_date=new.logical_date,
        run_after=new.run_after,
        backfill=new.backfill,
        backfill_ordinal=new.backfill_ordinal,
    )


async def create_runs(tx: Transaction, new: Sequence[NewRun], now: datetime) -> dict[RunId, RunKey]:
    """Insert these runs of one DAG as `create_run` does, all at once, and return their keys by their ids.

    Raises Conflict, leaves the transaction usable and inserts none where one of them cannot be.
    """
    if not new:
        return {}
    try:
        async with tx.connection.begin_nested():
            await tx.execute(insert(dag_run), [row_of(one, now) for one in new])
    except IntegrityError as error:
        raise Conflict(f"DAG {new[0].dag_id!r} has one of {len(new)} runs already, by its id or date") from error
    rows = await tx.execute(
        f"SELECT id, run_id FROM dag_run WHERE dag_id = :dag_id AND run_id IN {tx.dialect.keys(type_='text')}",
        {"dag_id": new[0].dag_id, "keys": json.dumps([one.run_id for one in new])},
    )
    return {RunId(run_id): RunKey(key) for key, run_id in rows}


async def live_runs(tx: Transaction, dag_id: DagId) -> int:
    """Return how many scheduled runs of the DAG are queued or running."""
    count: int = (
        await tx.execute(
            "SELECT COUNT(*) FROM dag_run WHERE dag_id = :dag_id AND state IN ('queued', 'running')"
            " AND run_type = 'scheduled'",
            {"dag_id": dag_id},
        )
    ).scalar_one()
    return count


async def find_by_idempotency_key(tx: Transaction, dag_id: DagId, key: str) -> DagRun | None:
    """Return the run that an earlier request with this key made."""
    row = (
        await tx.execute(
            f"SELECT {RUN_COLUMNS} FROM dag_run d WHERE d.dag_id = :dag_id AND d.idempotency_key = :key",
            {"dag_id": dag_id, "key": key},
        )
    ).mappings()
    found = row.first()
    return None if found is None else run_of(found)


def missing(run: DagRun, graph: Graph, begun: Collection[tuple[TaskId, bool]]) -> list[TaskId]:
    """Return the tasks that the run lacks, which are without an instance among `begun`.

    Expanded instances are none of a task that is not mapped.
    """
    absent = absent_tasks(graph, run)
    whole = {task_id for task_id, is_expanded in begun if not is_expanded}
    expanded = {task_id for task_id, is_expanded in begun if is_expanded}
    return [
        task_id
        for task_id, task in graph.tasks.items()
        if task_id not in absent and task_id not in whole and (task.expansion is None or task_id not in expanded)
    ]


async def create_instances(tx: Transaction, run: DagRun, graph: Graph, tasks: Sequence[str]) -> None:
    """Insert an instance in state none for each of `tasks`, ids of the graph."""
    rows = []
    for task_id in tasks:
        task = graph.tasks[task_id]  # type: ignore[index]
        rows.append(
            {
                "run": run.key,
                "dag_id": run.dag_id,
                "task_id": task_id,
                "map_index": UNMAPPED,
                "state": TaskState.NONE.value,
                "version": 0,
                "try_number": 0,
                "max_tries": task.retry.retries,
                "operator": task.operator,
                "pool": task.pool,
                "pool_slots": task.pool_slots,
                "priority": task.priority,
                "queue": task.queue,
            }
        )
    if rows:
        await tx.execute(insert(task_instance), rows)


def row_of(new: NewRun, now: datetime) -> dict[str, Any]:
    """Return the row of a queued run, with news for the advancer."""
    interval = new.data_interval
    return {
        "dag_id": new.dag_id,
        "run_id": new.run_id,
        "dag_version": new.dag_version,
        "bundle": new.bundle,
        "state": RunState.QUEUED.value,
        "version": 0,
        "unfinished": 0,
        "has_news": True,
        "run_type": new.run_type.value,
        "triggered_by": new.triggered_by.value,
        "triggering_user": new.triggering_user,
        "conf": json.dumps(dict(new.conf)),
        "note": new.note,
        "idempotency_key": new.idempotency_key,
        "logical_date": to_db(new.logical_date),
        "data_interval_start": to_db(interval.start) if interval else None,
        "data_interval_end": to_db(interval.end) if interval else None,
        "partition_key": new.partition_key,
        "partition_date": to_db(new.partition_date),
        "run_after": to_db(new.run_after),
        "queued_at": to_db(now),
        "backfill": new.backfill,
        "backfill_ordinal": new.backfill_ordinal,
        "deadline_at": to_db(next_due(new.deadlines, logical_date=new.logical_date, queued_at=now)),
    }
