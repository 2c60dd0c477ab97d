"""Pausing DAGs."""

from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId, RunKey


async def set_paused(tx: Transaction, dag_id: DagId, is_paused: bool) -> bool:
    """Write whether the DAG is paused; return False for an unknown DAG."""
    changed = await tx.execute(
        "UPDATE dag SET is_paused = :is_paused WHERE dag_id = :dag_id", {"dag_id": dag_id, "is_paused": is_paused}
    )
    return changed.rowcount == 1


async def live_runs(tx: Transaction, dag_id: DagId) -> list[RunKey]:
    """Return the queued and running runs of the DAG, oldest first."""
    rows = await tx.execute(
        "SELECT id FROM dag_run WHERE dag_id = :dag_id AND state IN ('queued', 'running') ORDER BY id",
        {"dag_id": dag_id},
    )
    return [RunKey(key) for (key,) in rows]
