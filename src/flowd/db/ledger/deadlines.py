"""Runs that are late: `deadline_at` is the earliest deadline of a run that nobody has told of."""

from dataclasses import dataclass
from datetime import datetime

from flowd.db.assignments import CONTEXT_COLUMNS
from flowd.db.moments import from_db, to_db
from flowd.db.rows import Row
from flowd.db.transaction import Transaction
from flowd.domain.ids import BundleHash, DagId, RunId, RunKey
from flowd.domain.states import RunState

_LIVE = "state IN ('queued', 'running') AND deadline_at IS NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRun:
    """A live run past `deadline_at`; `row` has assignments.CONTEXT_COLUMNS."""

    run: RunKey
    dag_id: DagId
    run_id: RunId
    state: RunState
    dag_version: int
    bundle: BundleHash
    logical_date: datetime | None
    queued_at: datetime
    deadline_at: datetime
    row: Row


async def next_moment(tx: Transaction) -> datetime | None:
    """Return the earliest deadline of a live run."""
    earliest: int | None = (await tx.execute(f"SELECT MIN(deadline_at) FROM dag_run WHERE {_LIVE}")).scalar_one()
    return from_db(earliest)


async def late_runs(tx: Transaction, now: datetime, *, limit: int) -> list[LateRun]:
    """Return live runs that are past a deadline, those that are late for longest first."""
    rows = await tx.execute(
        f"SELECT id, dag_id, run_id, state, dag_version, bundle, queued_at, deadline_at, {CONTEXT_COLUMNS} FROM dag_run"
        f" WHERE {_LIVE} AND deadline_at <= :now ORDER BY deadline_at LIMIT :limit",
        {"now": to_db(now), "limit": limit},
    )
    return [
        LateRun(
            run=RunKey(row["id"]),
            dag_id=DagId(row["dag_id"]),
            run_id=RunId(row["run_id"]),
            state=RunState(row["state"]),
            dag_version=row["dag_version"],
            bundle=BundleHash(row["bundle"]),
            logical_date=from_db(row["logical_date"]),
            queued_at=from_db(row["queued_at"]),
            deadline_at=from_db(row["deadline_at"]),
            row=row,
        )
        for row in rows.mappings()
    ]


async def take(tx: Transaction, late: LateRun, following: datetime | None) -> bool:
    """Note that somebody tells of this deadline, and which follows; False where another has, or the run has ended."""
    changed = await tx.execute(
        f"UPDATE dag_run SET deadline_at = :following WHERE id = :run AND {_LIVE} AND deadline_at = :taken",
        {"run": late.run, "taken": to_db(late.deadline_at), "following": to_db(following)},
    )
    return changed.rowcount == 1
