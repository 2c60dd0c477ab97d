"""History of another system: runs that ended there, written as they ended. Nothing of them ever ran here, or will."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from flowd.db.ledger.create import NewRun, row_of
from flowd.db.ledger.read import as_json
from flowd.db.moments import from_db, to_db
from flowd.db.tables import dag_run
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun, RunEvent, run_transition
from flowd.domain.errors import Conflict
from flowd.domain.ids import DagId, InstanceKey, RunId, RunKey, TaskId
from flowd.domain.states import RunState
from flowd.domain.task_events import Imported
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_machine import transition

MOST_ROWS = 500
"""How many task instances one statement writes."""

NOBODY = ""
"""The token of a try that no worker of this system has claimed."""

_EVENTS = {RunState.SUCCESS: RunEvent.IMPORTED_SUCCESS, RunState.FAILED: RunEvent.IMPORTED_FAILED}

_INSTANCE = {
    "run": "int",
    "dag_id": "text",
    "task_id": "text",
    "map_index": "int",
    "rendered_map_index": "text",
    "note": "text",
    "state": "text",
    "version": "int",
    "try_number": "int",
    "max_tries": "int",
    "worker": "text",
    "scheduled_at": "int",
    "queued_at": "int",
    "started_at": "int",
    "ended_at": "int",
    "operator": "text",
    "pool": "text",
    "pool_slots": "int",
    "priority": "int",
    "queue": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedInstance:
    """A task instance as it ended elsewhere."""

    task_id: TaskId
    map_index: int
    event: Imported
    ended_at: datetime
    operator: str
    pool: str
    queue: str
    priority: int
    pool_slots: int = 1
    rendered_map_index: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run as it ended elsewhere, with all its instances."""

    new: NewRun
    state: RunState
    queued_at: datetime
    started_at: datetime
    ended_at: datetime
    instances: Sequence[EndedInstance]


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run that the metastore has."""

    state: RunState
    ended_at: datetime | None


async def known_runs(
    tx: Transaction, dag_ids: Collection[DagId], run_ids: Collection[RunId]
) -> dict[tuple[DagId, RunId], KnownRun]:
    """Return those runs of these DAGs that have one of these ids."""
    rows = await tx.execute(
        f"SELECT dag_id, run_id, state, ended_at FROM dag_run WHERE dag_id IN {tx.dialect.keys('dags', 'text')}"
        f" AND run_id IN {tx.dialect.keys('runs', 'text')}",
        {"dags": json.dumps(sorted(dag_ids)), "runs": json.dumps(sorted(run_ids))},
    )
    return {
        (DagId(dag_id), RunId(run_id)): KnownRun(RunState(state), from_db(ended_at))
        for dag_id, run_id, state, ended_at in rows
    }


async def taken_dates(
    tx: Transaction, dag_ids: Collection[DagId], dates: Collection[datetime]
) -> set[tuple[DagId, datetime]]:
    """Return at which of these logical dates these DAGs have a run."""
    rows = await tx.execute(
        f"SELECT dag_id, logical_date FROM dag_run WHERE dag_id IN {tx.dialect.keys('dags', 'text')}"
        f" AND logical_date IN {tx.dialect.keys('dates')}",
        {"dags": json.dumps(sorted(dag_ids)), "dates": json.dumps(sorted(map(to_db, dates)))},
    )
    return {(DagId(dag_id), from_db(date)) for dag_id, date in rows}


async def keep(tx: Transaction, runs: Sequence[EndedRun]) -> None:
    """Insert these runs as ended, with their instances, a row of history for each, and a record of each last try.

    Raises Conflict, with which the transaction is lost, where somebody makes one of them at this moment.
    """
    if not runs:
        return
    try:
        await tx.execute(insert(dag_run), [_run_row(one) for one in runs])
    except IntegrityError as error:
        raise Conflict("somebody else makes some of these runs at this moment; import them again") from error
    keys = await _keys(tx, runs)
    rows = [_instance_row(one, run, keys[run.new.dag_id, run.new.run_id]) for run in runs for one in run.instances]
    columns = ", ".join(_INSTANCE)
    for start in range(0, len(rows), MOST_ROWS):
        await tx.execute(
            f"INSERT INTO task_instance ({columns}) SELECT {columns} FROM {tx.dialect.rows(_INSTANCE)} WHERE 1 = 1",
            {"rows": as_json(rows[start : start + MOST_ROWS])},
        )
    await _write_history(tx, sorted(keys.values()))
    for one in runs:
        tx.tell(f"run {one.new.dag_id}.{one.new.run_id}", None, {"state": one.state.value, "imported": True})


async def _keys(tx: Transaction, runs: Sequence[EndedRun]) -> dict[tuple[DagId, RunId], RunKey]:
    rows = await tx.execute(
        f"SELECT id, dag_id, run_id FROM dag_run WHERE dag_id IN {tx.dialect.keys('dags', 'text')}"
        f" AND run_id IN {tx.dialect.keys('runs', 'text')}",
        {
            "dags": json.dumps(sorted({one.new.dag_id for one in runs})),
            "runs": json.dumps(sorted({one.new.run_id for one in runs})),
        },
    )
    wanted = {(one.new.dag_id, one.new.run_id) for one in runs}
    # Another DAG may have a run of the same id.
    return {(DagId(dag_id), RunId(run_id)): RunKey(key) for key, dag_id, run_id in rows if (dag_id, run_id) in wanted}


async def _write_history(tx: Transaction, runs: Sequence[RunKey]) -> None:
    keys = {"keys": json.dumps(runs)}
    await tx.execute(
        "INSERT INTO run_transition (run, version, from_state, to_state, cause, at)"
        f" SELECT id, version, '{RunState.QUEUED.value}', state,"
        f" CASE state WHEN '{RunState.SUCCESS.value}' THEN '{RunEvent.IMPORTED_SUCCESS.value}'"
        f" ELSE '{RunEvent.IMPORTED_FAILED.value}' END, ended_at"
        f" FROM dag_run WHERE id IN {tx.dialect.keys()}",
        keys,
    )
    await tx.execute(
        "INSERT INTO task_transition (instance, version, from_state, to_state, cause, try_number, token, at)"
        f" SELECT id, version, 'none', state, '{Imported.cause}', try_number, NULL, ended_at"
        f" FROM task_instance WHERE run IN {tx.dialect.keys()}",
        keys,
    )
    # Of what ran: so the try stays to be seen when it is cleared, and the next one follows it.
    await tx.execute(
        "INSERT INTO attempt (instance, try_number, token, worker, cause, queued_at, started_at, ended_at)"
        f" SELECT id, try_number, '{NOBODY}', COALESCE(worker, ''), {_CAUSE_OF_TRY}, queued_at, started_at, ended_at"
        f" FROM task_instance WHERE run IN {tx.dialect.keys()} AND try_number > 0",
        keys,
    )


_CAUSE_OF_TRY = "CASE state WHEN 'success' THEN 'succeeded' WHEN 'skipped' THEN 'skipped itself' ELSE 'failed' END"


def _run_row(run: EndedRun) -> dict[str, Any]:
    new = run.new
    before = DagRun(
        key=RunKey(0),
        dag_id=new.dag_id,
        run_id=new.run_id,
        dag_version=new.dag_version,
        bundle=new.bundle,
        run_after=new.run_after,
        started_at=run.started_at,
    )
    after = run_transition(before, _EVENTS[run.state], run.ended_at)
    return row_of(new, run.queued_at) | {
        "state": after.state.value,
        "version": after.version,
        "has_news": False,
        "started_at": to_db(after.started_at),
        "ended_at": to_db(after.ended_at),
    }


def _instance_row(one: EndedInstance, run: EndedRun, key: RunKey) -> dict[str, Any]:
    before = TaskInstance(
        key=InstanceKey(0), run=key, dag_id=run.new.dag_id, task_id=one.task_id, map_index=one.map_index
    )
    after = transition(before, one.event, one.ended_at)
    return {
        "run": key,
        "dag_id": after.dag_id,
        "task_id": after.task_id,
        "map_index": after.map_index,
        "rendered_map_index": one.rendered_map_index,
        "note": one.note,
        "state": after.state.value,
        "version": after.version,
        "try_number": after.try_number,
        "max_tries": after.max_tries,
        "worker": after.worker,
        "scheduled_at": to_db(after.scheduled_at),
        "queued_at": to_db(after.queued_at),
        "started_at": to_db(after.started_at),
        "ended_at": to_db(after.ended_at),
        "operator": one.operator,
        "pool": one.pool,
        "pool_slots": one.pool_slots,
        "priority": one.priority,
        "queue": one.queue,
    }
