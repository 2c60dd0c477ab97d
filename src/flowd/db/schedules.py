"""When each DAG is due: the next run of its timetable, kept with the DAG."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from flowd.db.moments import EPOCH, from_db, to_db
from flowd.db.rows import Row
from flowd.db.transaction import Transaction
from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.ids import BundleHash, DagId

_LIVE = "is_active AND NOT is_paused AND next_run_after IS NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A DAG whose next run is due."""

    dag_id: DagId
    version: int
    bundle: BundleHash
    first_seen_at: datetime
    last_interval: DataInterval | None
    next_run: NextRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplanned:
    """A DAG whose next run is to be planned."""

    dag_id: DagId
    version: int
    bundle: BundleHash
    first_seen_at: datetime
    last_interval: DataInterval | None


async def held(tx: Transaction, dag_ids: Collection[DagId]) -> list[Unplanned]:
    """Return these DAGs, planned or not, under lock and in the order of their ids, for `advance`."""
    rows = await tx.execute(
        "SELECT dag_id, version, bundle, first_seen_at, last_interval_start, last_interval_end FROM dag"
        f" WHERE dag_id IN {tx.dialect.keys(type_='text')} ORDER BY dag_id{tx.dialect.for_update}",
        {"keys": json.dumps(sorted(dag_ids))},
    )
    return [_unplanned(row) for row in rows.mappings()]


async def unplanned(tx: Transaction, *, limit: int) -> list[Unplanned]:
    """Return DAGs without a planned run, less those that are paused or gone."""
    rows = await tx.execute(
        "SELECT dag_id, version, bundle, first_seen_at, last_interval_start, last_interval_end FROM dag"
        " WHERE is_active AND NOT is_paused AND next_run_after IS NULL ORDER BY dag_id LIMIT :limit",
        {"limit": limit},
    )
    return [_unplanned(row) for row in rows.mappings()]


async def plan(tx: Transaction, dag: Unplanned, planned: NextRun) -> bool:
    """Write the next run of a DAG; False where it has another version, another last run or a plan by now."""
    last = dag.last_interval
    unchanged = "last_interval_start IS NULL" if last is None else "last_interval_start = :last_start"
    changed = await tx.execute(
        "UPDATE dag SET next_run_after = :run_after, next_logical_date = :logical_date,"
        " next_interval_start = :next_start, next_interval_end = :next_end"
        f" WHERE dag_id = :dag_id AND version = :version AND next_run_after IS NULL AND {unchanged}",
        {
            "dag_id": dag.dag_id,
            "version": dag.version,
            "run_after": to_db(planned.run_after),
            "logical_date": to_db(planned.logical_date),
            "next_start": to_db(planned.data_interval.start),
            "next_end": to_db(planned.data_interval.end),
            **({} if last is None else {"last_start": to_db(last.start)}),
        },
    )
    return changed.rowcount == 1


async def next_moment(tx: Transaction, *, after: datetime = EPOCH) -> datetime | None:
    """Return the earliest instant after this one at which a DAG is due."""
    earliest: int | None = (
        await tx.execute(
            f"SELECT MIN(next_run_after) FROM dag WHERE {_LIVE} AND next_run_after > :after", {"after": to_db(after)}
        )
    ).scalar_one()
    return from_db(earliest)


async def due_ids(tx: Transaction, now: datetime, *, limit: int) -> list[DagId]:
    """Return the DAGs that are due, without a lock."""
    rows = await tx.execute(
        f"SELECT dag_id FROM dag WHERE {_LIVE} AND next_run_after <= :now ORDER BY next_run_after LIMIT :limit",
        {"now": to_db(now), "limit": limit},
    )
    return [DagId(dag_id) for (dag_id,) in rows]


async def due(tx: Transaction, now: datetime, *, limit: int) -> list[Due]:
    """Return DAGs that are due, under lock, less those that another creator holds."""
    rows = await tx.execute(
        "SELECT dag_id, version, bundle, first_seen_at, last_interval_start, last_interval_end, next_run_after,"
        " next_interval_start, next_interval_end FROM dag"
        f" WHERE {_LIVE} AND next_run_after <= :now ORDER BY next_run_after LIMIT :limit{tx.dialect.skip_locked}",
        {"now": to_db(now), "limit": limit},
    )
    return [_due(row) for row in rows.mappings()]


async def advance(tx: Transaction, dag_id: DagId, last: DataInterval | None, planned: NextRun | None) -> None:
    """Write the interval of the last run made, and the next run planned, of a DAG that this transaction has locked."""
    await tx.execute(
        "UPDATE dag SET last_interval_start = :last_start, last_interval_end = :last_end, next_run_after = :run_after,"
        " next_logical_date = :logical_date, next_interval_start = :next_start, next_interval_end = :next_end"
        " WHERE dag_id = :dag_id",
        {
            "dag_id": dag_id,
            "last_start": to_db(last.start) if last else None,
            "last_end": to_db(last.end) if last else None,
            "run_after": to_db(planned.run_after) if planned else None,
            "logical_date": to_db(planned.logical_date) if planned else None,
            "next_start": to_db(planned.data_interval.start) if planned else None,
            "next_end": to_db(planned.data_interval.end) if planned else None,
        },
    )


def _unplanned(row: Row) -> Unplanned:
    return Unplanned(
        dag_id=DagId(row["dag_id"]),
        version=row["version"],
        bundle=BundleHash(row["bundle"]),
        first_seen_at=from_db(row["first_seen_at"]),
        last_interval=_last(row),
    )


def _due(row: Row) -> Due:
    return Due(
        dag_id=DagId(row["dag_id"]),
        version=row["version"],
        bundle=BundleHash(row["bundle"]),
        first_seen_at=from_db(row["first_seen_at"]),
        last_interval=_last(row),
        next_run=NextRun(
            DataInterval(from_db(row["next_interval_start"]), from_db(row["next_interval_end"])),
            from_db(row["next_run_after"]),
        ),
    )


def _last(row: Row) -> DataInterval | None:
    start, end = from_db(row["last_interval_start"]), from_db(row["last_interval_end"])
    return DataInterval(start, end) if start and end else None


async def planned(tx: Transaction, dag_id: DagId) -> NextRun | None:
    """Return the run that is planned next for the DAG, paused or not; None where there is none."""
    row = (
        await tx.execute(
            "SELECT next_run_after, next_interval_start, next_interval_end FROM dag"
            " WHERE dag_id = :dag_id AND next_run_after IS NOT NULL",
            {"dag_id": dag_id},
        )
    ).first()
    if row is None:
        return None
    run_after, start, end = row
    return NextRun(DataInterval(from_db(start), from_db(end)), from_db(run_after))
