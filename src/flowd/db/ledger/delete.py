"""Deleting runs, and DAGs with all that there was of them."""

import json
from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError

from flowd.db.ledger import read
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun
from flowd.domain.errors import Conflict
from flowd.domain.ids import DagId, RunKey


async def delete_runs(tx: Transaction, runs: Sequence[DagRun]) -> None:
    """Delete these locked runs; the database deletes instances, tries, history and XComs with them."""
    keys = json.dumps([run.key for run in runs])
    await tx.execute(f"DELETE FROM dag_run WHERE id IN {tx.dialect.keys()}", {"keys": keys})


async def hold_runs(tx: Transaction, dag_id: DagId, *, limit: int) -> list[DagRun]:
    """Return the first runs of the DAG, under lock."""
    rows = await tx.execute(
        "SELECT id FROM dag_run WHERE dag_id = :dag_id ORDER BY id LIMIT :limit", {"dag_id": dag_id, "limit": limit}
    )
    return await read.runs(tx, [RunKey(key) for (key,) in rows])


async def has_running_tasks(tx: Transaction, dag_id: DagId) -> bool:
    """Return whether a task instance of the DAG is running."""
    rows = await tx.execute(
        "SELECT 1 FROM task_instance t JOIN dag_run d ON d.id = t.run"
        " WHERE t.state = 'running' AND d.dag_id = :dag_id LIMIT 1",
        {"dag_id": dag_id},
    )
    return rows.first() is not None


async def delete_dag(tx: Transaction, dag_id: DagId) -> None:
    """Delete the DAG, its versions, backfills and uses of assets; its runs must be gone.

    Raises Conflict, with which the transaction is lost, where somebody makes a run of it at this moment.
    """
    try:
        for statement in _OF_DAG:
            await tx.execute(statement, {"dag_id": dag_id})
    except IntegrityError as error:
        raise Conflict(f"somebody makes runs of DAG {dag_id!r} at this moment; delete it again") from error


_OF_DAG = (
    "DELETE FROM backfill WHERE dag_id = :dag_id",
    "DELETE FROM asset_event_queue WHERE dag_id = :dag_id",
    "DELETE FROM asset_use WHERE dag_id = :dag_id",
    "DELETE FROM dag_reader WHERE dag_id = :dag_id",
    "DELETE FROM dag WHERE dag_id = :dag_id",
    "DELETE FROM dag_version WHERE dag_id = :dag_id",
)
"""In the order in which they refer to each other."""
