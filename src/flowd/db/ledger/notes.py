"""The notes that people leave on runs and task instances."""

from collections.abc import Sequence

from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId, InstanceKey, RunId


async def set_note(tx: Transaction, dag_id: DagId, run_id: RunId, note: str | None) -> bool:
    """Write the note of a run, None for none; return False for an unknown run."""
    tx.tell(f"note of run {dag_id}.{run_id}", {}, None if note is None else {})
    changed = await tx.execute(
        "UPDATE dag_run SET note = :note WHERE dag_id = :dag_id AND run_id = :run_id",
        {"dag_id": dag_id, "run_id": run_id, "note": note},
    )
    return changed.rowcount == 1


async def set_task_notes(tx: Transaction, instances: Sequence[InstanceKey], note: str | None) -> None:
    """Write the note of these instances, None for none."""
    # In the order of their keys, as everybody who changes several.
    for key in sorted(instances):
        tx.tell(f"note of task instance {key}", {}, None if note is None else {})
        await tx.execute("UPDATE task_instance SET note = :note WHERE id = :key", {"key": key, "note": note})
