"""The note that people leave on a run."""

from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId, RunId


async def set_note(tx: Transaction, dag_id: DagId, run_id: RunId, note: str | None) -> bool:
    """Write the note of a run, None for none; return False for an unknown run."""
    changed = await tx.execute(
        "UPDATE dag_run SET note = :note WHERE dag_id = :dag_id AND run_id = :run_id",
        {"dag_id": dag_id, "run_id": run_id, "note": note},
    )
    return changed.rowcount == 1
