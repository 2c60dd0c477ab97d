"""Backfills: what was asked for, how far its dates are planned and handled, and when it ended.

Whoever changes a backfill locks it first, before runs and DAGs; whoever pauses, cancels or ends one also locks its DAG,
as the admission of runs does, so that none starts that sees the change too late.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flowd.db.ledger.read import as_json
from flowd.db.moments import from_db, to_db
from flowd.db.rows import Row
from flowd.db.transaction import Transaction
from flowd.domain.backfill import Backfill, BackfillRequest, ExceptionReason, ReprocessBehavior
from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.ids import BackfillKey, BundleHash, DagId, RunKey

_COLUMNS = (
    "id, dag_id, dag_version, bundle, from_date, to_date, conf, reprocess_behavior, is_backwards, max_active_runs,"
    " run_on_latest_version, triggering_user, is_paused, is_cancelling, is_planned, planned, handled,"
    " last_interval_start, last_interval_end, created_at, updated_at, completed_at"
)
_DATE = {"backfill": "int", "place": "int", "interval_start": "int", "interval_end": "int", "run_after": "int"}
_OUTCOME = {"backfill": "int", "place": "int", "run": "int", "exception_reason": "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDate:
    """One date of a backfill, at its place in the order of time."""

    place: int
    run: NextRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a date: its run, or why it got none."""

    place: int
    run: RunKey | None = None
    reason: ExceptionReason | None = None


async def create(
    tx: Transaction,
    asked: BackfillRequest,
    *,
    request: str,
    dag_version: int,
    bundle: BundleHash,
    user: str | None,
    now: datetime,
) -> None:
    """Insert the backfill that this request, a token of its own, asks for. The DAG must be locked."""
    values = {
        "dag_id": asked.dag_id,
        "dag_version": dag_version,
        "bundle": bundle,
        "from_date": to_db(asked.from_date),
        "to_date": to_db(asked.to_date),
        "conf": None if asked.conf is None else json.dumps(dict(asked.conf)),
        "reprocess_behavior": asked.reprocess_behavior.value,
        "is_backwards": asked.is_backwards,
        "max_active_runs": asked.max_active_runs,
        "run_on_latest_version": asked.run_on_latest_version,
        "triggering_user": user,
        "request": request,
        "is_paused": False,
        "is_cancelling": False,
        "is_planned": False,
        "planned": 0,
        "handled": 0,
        "created_at": to_db(now),
        "updated_at": to_db(now),
    }
    names = ", ".join(values)
    await tx.execute(f"INSERT INTO backfill ({names}) VALUES ({', '.join(f':{name}' for name in values)})", values)


async def of_request(tx: Transaction, request: str) -> Backfill | None:
    """Return the backfill that this request made."""
    return await _one(tx, "request = :request", {"request": request})


async def get(tx: Transaction, key: BackfillKey) -> Backfill | None:
    """Return the backfill, without a lock."""
    return await _one(tx, "id = :id", {"id": key})


async def lock(tx: Transaction, key: BackfillKey) -> Backfill | None:
    """Return the backfill under lock."""
    return await _one(tx, f"id = :id{tx.dialect.for_update}", {"id": key})


async def lock_free(tx: Transaction, key: BackfillKey) -> Backfill | None:
    """Return the backfill under lock; None where somebody else holds it."""
    return await _one(tx, f"id = :id{tx.dialect.skip_locked}", {"id": key})


async def active(tx: Transaction, dag_id: DagId) -> BackfillKey | None:
    """Return the DAG's backfill that has not ended."""
    rows = await tx.execute(
        "SELECT id FROM backfill WHERE completed_at IS NULL AND dag_id = :dag_id", {"dag_id": dag_id}
    )
    return next((BackfillKey(key) for (key,) in rows), None)


async def unfinished(tx: Transaction) -> list[Backfill]:
    """Return the backfills that have not ended or whose queued runs are still to be failed, the oldest first."""
    found = [
        backfill_of(row)
        for where in ("completed_at IS NULL", "is_cancelling")
        for row in (await tx.execute(f"SELECT {_COLUMNS} FROM backfill WHERE {where}")).mappings()
    ]
    return sorted(found, key=lambda one: one.key)


async def plan(tx: Transaction, held: Backfill, runs: Sequence[NextRun], *, is_all: bool, now: datetime) -> None:
    """Give the next dates of a locked backfill their places; with `is_all` there are no more."""
    if runs:
        rows = [
            {
                "backfill": held.key,
                "place": place,
                "interval_start": to_db(run.data_interval.start),
                "interval_end": to_db(run.data_interval.end),
                "run_after": to_db(run.run_after),
            }
            for place, run in enumerate(runs, held.planned + 1)
        ]
        names = ", ".join(_DATE)
        await tx.execute(
            f"INSERT INTO backfill_date ({names}) SELECT {names} FROM {tx.dialect.rows(_DATE)} WHERE 1 = 1",
            {"rows": as_json(rows)},
        )
    last = runs[-1].data_interval if runs else held.last_planned
    await tx.execute(
        "UPDATE backfill SET planned = :planned, is_planned = :is_all, last_interval_start = :start,"
        " last_interval_end = :end, updated_at = :now WHERE id = :id",
        {
            "id": held.key,
            "planned": held.planned + len(runs),
            "is_all": is_all,
            "start": to_db(last.start) if last else None,
            "end": to_db(last.end) if last else None,
            "now": to_db(now),
        },
    )


async def dates(tx: Transaction, key: BackfillKey, places: Sequence[int]) -> list[PlannedDate]:
    """Return the dates at these places, in their order."""
    rows = await tx.execute(
        "SELECT place, interval_start, interval_end, run_after FROM backfill_date"
        f" WHERE backfill = :id AND place IN {tx.dialect.keys()}",
        {"id": key, "keys": json.dumps(list(places))},
    )
    found = {
        place: PlannedDate(place=place, run=NextRun(DataInterval(from_db(start), from_db(end)), from_db(run_after)))
        for place, start, end, run_after in rows
    }
    return [found[place] for place in places]


async def settle(tx: Transaction, held: Backfill, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write what became of the next dates of a locked backfill."""
    rows = [
        {
            "backfill": held.key,
            "place": one.place,
            "run": one.run,
            "exception_reason": None if one.reason is None else one.reason.value,
        }
        for one in outcomes
    ]
    statement = tx.dialect.update(
        "backfill_date",
        {"run": "r.run", "exception_reason": "r.exception_reason"},
        rows=tx.dialect.rows(_OUTCOME),
        where="backfill_date.backfill = r.backfill AND backfill_date.place = r.place",
    )
    await tx.execute(statement, {"rows": as_json(rows)})
    await tx.execute(
        "UPDATE backfill SET handled = :handled, updated_at = :now WHERE id = :id",
        {"id": held.key, "handled": held.handled + len(outcomes), "now": to_db(now)},
    )


async def set_paused(tx: Transaction, key: BackfillKey, is_paused: bool, now: datetime) -> None:
    """Write whether runs of a locked backfill may start."""
    await tx.execute(
        "UPDATE backfill SET is_paused = :is_paused, updated_at = :now WHERE id = :id",
        {"id": key, "is_paused": is_paused, "now": to_db(now)},
    )


async def complete(tx: Transaction, key: BackfillKey, now: datetime) -> None:
    """Write that a locked backfill has ended."""
    await tx.execute(
        "UPDATE backfill SET completed_at = :now, updated_at = :now WHERE id = :id", {"id": key, "now": to_db(now)}
    )


async def cancel(tx: Transaction, key: BackfillKey, now: datetime) -> None:
    """Write that a locked backfill was cancelled: it has ended, and its queued runs are to be failed."""
    await tx.execute(
        "UPDATE backfill SET is_paused = :yes, is_cancelling = :yes, completed_at = :now, updated_at = :now"
        " WHERE id = :id",
        {"id": key, "yes": True, "now": to_db(now)},
    )


async def end_cancelling(tx: Transaction, key: BackfillKey) -> None:
    """Write that no queued run of a cancelled backfill is left."""
    await tx.execute("UPDATE backfill SET is_cancelling = :no WHERE id = :id", {"id": key, "no": False})


async def _one(tx: Transaction, where: str, parameters: dict[str, object]) -> Backfill | None:
    row = (await tx.execute(f"SELECT {_COLUMNS} FROM backfill WHERE {where}", parameters)).mappings().one_or_none()
    return None if row is None else backfill_of(row)


def backfill_of(row: Row) -> Backfill:
    """Return the value of a row that has every column of the table."""
    start, end = from_db(row["last_interval_start"]), from_db(row["last_interval_end"])
    return Backfill(
        key=BackfillKey(row["id"]),
        request=BackfillRequest(
            dag_id=DagId(row["dag_id"]),
            from_date=from_db(row["from_date"]),
            to_date=from_db(row["to_date"]),
            conf=None if row["conf"] is None else json.loads(row["conf"]),
            reprocess_behavior=ReprocessBehavior(row["reprocess_behavior"]),
            is_backwards=bool(row["is_backwards"]),
            max_active_runs=row["max_active_runs"],
            run_on_latest_version=bool(row["run_on_latest_version"]),
        ),
        dag_version=row["dag_version"],
        bundle=BundleHash(row["bundle"]),
        triggering_user=row["triggering_user"],
        created_at=from_db(row["created_at"]),
        updated_at=from_db(row["updated_at"]),
        completed_at=from_db(row["completed_at"]),
        is_paused=bool(row["is_paused"]),
        is_cancelling=bool(row["is_cancelling"]),
        is_planned=bool(row["is_planned"]),
        planned=row["planned"],
        handled=row["handled"],
        last_planned=DataInterval(start, end) if start and end else None,
    )
