"""Lanes of runs: how many run in each, which wait in it, and what a backfill does with its runs."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flowd.db.ledger import advance
from flowd.db.ledger.read import LIVE_RUN
from flowd.db.moments import from_db, to_db
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun
from flowd.domain.ids import BackfillKey, DagId, RunId, RunKey
from flowd.domain.run_admission import Lane, WaitingRun
from flowd.domain.states import RunState, RunType, TriggeredBy


async def running_by_lane(tx: Transaction) -> dict[Lane, int]:
    """Return how many runs of each lane are running."""
    rows = await tx.execute(
        f"SELECT dag_id, backfill, COUNT(*) FROM dag_run WHERE {LIVE_RUN} AND state = 'running'"
        " GROUP BY dag_id, backfill"
    )
    return {Lane(DagId(dag_id), backfill): count for dag_id, backfill, count in rows}


async def queued_runs(tx: Transaction, *, per_dag: int) -> list[tuple[RunKey, DagId]]:
    """Return the oldest `per_dag` queued runs, already due, of each DAG that is not paused, oldest first.

    As many of each, so that a DAG with a long queue cannot hide the others. Those of backfills are not among them.
    """
    # Compared as a sum: else SQLite would find by the index of `run_after` all runs that there ever were.
    rows = await tx.execute(
        "SELECT id, dag_id FROM (SELECT d.id, d.dag_id,"
        " ROW_NUMBER() OVER (PARTITION BY d.dag_id ORDER BY d.id) AS place"
        " FROM dag_run d JOIN dag g ON g.dag_id = d.dag_id"
        f" WHERE d.{LIVE_RUN} AND d.state = 'queued' AND d.backfill IS NULL"
        f" AND d.run_after + 0 <= {tx.dialect.now} AND NOT g.is_paused)"
        " AS waiting WHERE place <= :per_dag ORDER BY id",
        {"per_dag": per_dag},
    )
    return [(RunKey(key), DagId(dag_id)) for key, dag_id in rows]


async def queued_of_backfills(tx: Transaction, running: Mapping[Lane, int], *, most: int) -> list[WaitingRun]:
    """Return the queued runs, already due, for which backfills that may start some have room: up to `most` of each.

    Only those are read, however many wait behind them.
    """
    backfills = (
        await tx.execute(
            "SELECT b.id, b.dag_id, b.max_active_runs FROM backfill b JOIN dag g ON g.dag_id = b.dag_id"
            " WHERE b.completed_at IS NULL AND NOT b.is_paused AND NOT g.is_paused ORDER BY b.id"
        )
    ).all()
    found: list[WaitingRun] = []
    for key, dag_id, limit in backfills:
        lane = Lane(DagId(dag_id), BackfillKey(key))
        room = limit - running.get(lane, 0)
        if room > 0:
            # As a sum here too, for the same reason.
            rows = await tx.execute(
                f"SELECT id, backfill_ordinal FROM dag_run WHERE {LIVE_RUN} AND state = 'queued' AND backfill = :id"
                f" AND run_after + 0 <= {tx.dialect.now} ORDER BY backfill_ordinal LIMIT :room",
                {"id": key, "room": min(room, most)},
            )
            found += [WaitingRun(RunKey(run), lane, limit, ordinal) for run, ordinal in rows]
    return found


async def backfill_limits(tx: Transaction, keys: Collection[BackfillKey]) -> dict[BackfillKey, int]:
    """Return how many runs of each of these backfills may run: none where it is paused or was cancelled."""
    if not keys:
        return {}
    rows = await tx.execute(
        f"SELECT id, max_active_runs, is_paused, is_cancelling FROM backfill WHERE id IN {tx.dialect.keys()}",
        {"keys": json.dumps(sorted(keys))},
    )
    return {
        BackfillKey(key): 0 if is_paused or is_cancelling else limit for key, limit, is_paused, is_cancelling in rows
    }


async def runs_at(
    tx: Transaction, dag_id: DagId, logical_dates: Sequence[datetime]
) -> dict[datetime, tuple[RunKey, RunId, RunState]]:
    """Return the runs that the DAG has for these logical dates, without a lock."""
    rows = await tx.execute(
        "SELECT id, run_id, state, logical_date FROM dag_run WHERE dag_id = :dag_id"
        f" AND logical_date IN {tx.dialect.keys()}",
        {"dag_id": dag_id, "keys": json.dumps([to_db(date) for date in logical_dates])},
    )
    return {from_db(date): (RunKey(key), RunId(run_id), RunState(state)) for key, run_id, state, date in rows}


async def adopt(
    tx: Transaction, key: RunKey, backfill: BackfillKey, ordinal: int, conf: Mapping[str, Any] | None
) -> None:
    """Write that a run which this transaction has cleared is run again by a backfill, with its `conf` where it has one.

    The run must be locked.
    """
    new_conf = "" if conf is None else ", conf = :conf"
    await tx.execute(
        "UPDATE dag_run SET backfill = :backfill, backfill_ordinal = :ordinal, run_type = :run_type,"
        f" triggered_by = :triggered_by{new_conf} WHERE id = :id",
        {
            "id": key,
            "backfill": backfill,
            "ordinal": ordinal,
            "run_type": RunType.BACKFILL.value,
            "triggered_by": TriggeredBy.BACKFILL.value,
            **({} if conf is None else {"conf": json.dumps(dict(conf))}),
        },
    )


async def leave_ended_backfills(tx: Transaction, runs: Iterable[DagRun]) -> None:
    """Let those of these locked runs whose backfill is over, or gone, count as any other of their DAG.

    To be called for runs that are cleared. Locks their DAGs, as whoever ends a backfill does: so no run is left queued
    in one that has ended.
    """
    attached = [run for run in runs if run.backfill is not None]
    if not attached:
        return
    await advance.lock_dags(tx, {run.dag_id for run in attached})
    rows = await tx.execute(
        f"SELECT id FROM backfill WHERE completed_at IS NULL AND id IN {tx.dialect.keys()}",
        {"keys": json.dumps(sorted({run.backfill for run in attached if run.backfill is not None}))},
    )
    active = {key for (key,) in rows}
    leaving = [run.key for run in attached if run.backfill not in active]
    if not leaving:
        return
    await tx.execute(
        f"UPDATE dag_run SET backfill = NULL, backfill_ordinal = NULL WHERE id IN {tx.dialect.keys()}",
        {"keys": json.dumps(leaving)},
    )


async def queued_in(tx: Transaction, backfill: BackfillKey, *, limit: int) -> list[RunKey]:
    """Return the first queued runs of the backfill, without a lock."""
    rows = await tx.execute(
        f"SELECT id FROM dag_run WHERE {LIVE_RUN} AND state = 'queued' AND backfill = :id ORDER BY backfill_ordinal"
        " LIMIT :limit",
        {"id": backfill, "limit": limit},
    )
    return [RunKey(key) for (key,) in rows]


async def has_live_runs(tx: Transaction, backfill: BackfillKey) -> bool:
    """Return whether a run of the backfill is queued or running."""
    for state in ("running", "queued"):
        # A state at a time, and by its order: so that the index of lanes is used, however few there are.
        rows = await tx.execute(
            f"SELECT id FROM dag_run WHERE {LIVE_RUN} AND state = '{state}' AND backfill = :id"
            " ORDER BY backfill_ordinal LIMIT 1",
            {"id": backfill},
        )
        if rows.first() is not None:
            return True
    return False
