"""What a run may ask of the runs before it."""

from datetime import datetime

from flowd.db.moments import from_db
from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId, InstanceKey, RunId


async def previous_success(tx: Transaction, dag_id: DagId, run_id: RunId) -> dict[str, str | None]:
    """Return interval and dates (ISO) of the latest successful run before this one; every value None for none."""
    row = (
        await tx.execute(
            "SELECT d.data_interval_start, d.data_interval_end, d.started_at, d.ended_at FROM dag_run d"
            " JOIN dag_run o ON o.dag_id = d.dag_id AND d.run_after < o.run_after"
            " WHERE o.dag_id = :dag_id AND o.run_id = :run_id AND d.state = 'success'"
            " ORDER BY d.run_after DESC LIMIT 1",
            {"dag_id": dag_id, "run_id": run_id},
        )
    ).first()
    start, end, started, ended = row or (None, None, None, None)
    return {
        "prev_data_interval_start_success": _iso(from_db(start)),
        "prev_data_interval_end_success": _iso(from_db(end)),
        "prev_start_date_success": _iso(from_db(started)),
        "prev_end_date_success": _iso(from_db(ended)),
    }


async def last_words(tx: Transaction, instance: InstanceKey) -> list[str]:
    """Return how the latest ended try of an instance ended, in words; empty where it said nothing or never ran."""
    row = (
        await tx.execute(
            "SELECT try_number, cause, error FROM attempt WHERE instance = :instance ORDER BY try_number DESC LIMIT 1",
            {"instance": instance},
        )
    ).first()
    if row is None or row[2] is None:
        return []
    try_number, cause, error = row
    return [f"try {try_number} {cause}: {error}"]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
