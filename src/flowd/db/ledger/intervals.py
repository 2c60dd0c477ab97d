"""What triggered runs are about, where only their DAG's own timetable can say it."""

from dataclasses import dataclass
from datetime import datetime

from flowd.db.moments import from_db, to_db
from flowd.db.transaction import Transaction
from flowd.domain.data_interval import DataInterval
from flowd.domain.ids import BundleHash, RunKey


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutInterval:
    """A queued run whose DAG's own timetable is still to say what it is about."""

    key: RunKey
    dag_version: int
    bundle: BundleHash
    logical_date: datetime


async def without_interval(tx: Transaction, *, limit: int) -> list[WithoutInterval]:
    """Return queued runs that have a logical date and no data interval."""
    rows = await tx.execute(
        "SELECT id, dag_version, bundle, logical_date FROM dag_run WHERE state = 'queued'"
        " AND logical_date IS NOT NULL AND data_interval_start IS NULL ORDER BY id LIMIT :limit",
        {"limit": limit},
    )
    return [
        WithoutInterval(
            key=RunKey(row["id"]),
            dag_version=row["dag_version"],
            bundle=BundleHash(row["bundle"]),
            logical_date=from_db(row["logical_date"]),
        )
        for row in rows.mappings()
    ]


async def give_interval(tx: Transaction, run: RunKey, interval: DataInterval) -> bool:
    """Write what a run is about; False where it is known by now, or the run is gone."""
    changed = await tx.execute(
        "UPDATE dag_run SET data_interval_start = :start, data_interval_end = :end"
        " WHERE id = :id AND data_interval_start IS NULL",
        {"id": run, "start": to_db(interval.start), "end": to_db(interval.end)},
    )
    return changed.rowcount == 1
