"""Writing runs and task instances: decided by the state machines, guarded by version, recorded in the history."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flowd.db.ledger.read import as_json
from flowd.db.moments import to_db
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun, RunEvent, run_transition
from flowd.domain.errors import IllegalTransition, StaleClaim
from flowd.domain.ids import UNMAPPED, InstanceKey
from flowd.domain.states import TaskState
from flowd.domain.task_events import TaskEvent
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_machine import transition

_GOES_ON = frozenset({TaskState.RUNNING, TaskState.UP_FOR_RESCHEDULE, TaskState.DEFERRED})
"""States in which a running try is not over."""

UNDISPATCHED_PATIENCE = timedelta(seconds=2)
"""How long a queued instance may wait for its message to be confirmed before the Redeliverer rings again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the keeper measured of one try; kept in the row of the attempt."""

    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float | None = None
    peak_rss_bytes: int | None = None
    is_log_truncated: bool = False
    error: str | None = None


Refused = IllegalTransition | StaleClaim
"""Why an event changed nothing: an answer, not an error."""

_COLUMNS = {
    "id": "int",
    "guard": "int",
    "version": "int",
    "state": "text",
    "from_state": "text",
    "cause": "text",
    "try_number": "int",
    "max_tries": "int",
    "leg": "int",
    "lost": "int",
    "token": "text",
    "used_token": "text",
    "worker": "text",
    "lease_until": "int",
    "is_cancel_requested": "bool",
    "held_until": "int",
    "not_before": "int",
    "waits_since": "int",
    "skips": "text",
    "needs_propagation": "bool",
    "scheduled_at": "int",
    "queued_at": "int",
    "started_at": "int",
    "ended_at": "int",
    "ring_at": "int",
    "at": "int",
}
_WRITTEN = (
    "version, state, try_number, max_tries, leg, lost, token, worker, lease_until, is_cancel_requested, held_until,"
    " not_before, waits_since, skips, needs_propagation, scheduled_at, queued_at, started_at, ended_at, ring_at"
).split(", ")
_RUN_COLUMNS = {
    "id": "int",
    "version": "int",
    "state": "text",
    "from_state": "text",
    "cause": "text",
    "started_at": "int",
    "ended_at": "int",
    "timeout_at": "int",
    "at": "int",
}
_ATTEMPT = {
    "instance": "int",
    "try_number": "int",
    "token": "text",
    "worker": "text",
    "cause": "text",
    "queued_at": "int",
    "started_at": "int",
    "ended_at": "int",
    "exit_code": "int",
    "exit_signal": "int",
    "cpu_seconds": "float",
    "peak_rss_bytes": "int",
    "is_log_truncated": "bool",
    "error": "text",
}


async def apply(
    tx: Transaction,
    changes: Sequence[tuple[TaskInstance, TaskEvent]],
    now: datetime,
    *,
    measured: Mapping[InstanceKey, Measured] | None = None,
) -> list[TaskInstance | Refused]:
    """Let each event happen to its instance, loaded under lock in this transaction, and return what became of each.

    A refused event changes nothing. Every change adds one row of history; the end of a running try adds its attempt,
    that of a leg which another one follows does not.
    Where two events name one instance (a message came twice), the second meets what the first has left.
    It is deferred, and the transaction ends with a Conflict where a row changed under the lock: that would be a bug.
    """
    answers: list[TaskInstance | Refused] = []
    written: list[dict[str, Any]] = []
    attempts: list[dict[str, Any]] = []
    current: dict[InstanceKey, TaskInstance] = {}
    for loaded, event in changes:
        before = current.get(loaded.key, loaded)
        try:
            after = transition(before, event, now)
        except (IllegalTransition, StaleClaim) as refusal:
            answers.append(refusal)
            continue
        answers.append(after)
        current[after.key] = after
        if tx.actor is not None:
            tx.tell(_name(before), {"state": before.state.value}, {"state": after.state.value})
        written.append(_row(before, after, event, now) | {"guard": loaded.version})
        if before.state is TaskState.RUNNING and after.state not in _GOES_ON:
            attempts.append(_attempt(before, event, now, (measured or {}).get(before.key, Measured())))
    if written:
        await _write(tx, written)
    if attempts:
        columns = ", ".join(_ATTEMPT)
        await tx.defer(
            "attempt",
            f"INSERT INTO attempt ({columns}) SELECT {columns} FROM {tx.dialect.rows(_ATTEMPT)} WHERE 1 = 1",
            {"rows": as_json(attempts)},
        )
    return answers


def _name(instance: TaskInstance) -> str:
    index = "" if instance.map_index == UNMAPPED else f"[{instance.map_index}]"
    return f"task {instance.dag_id}.{instance.task_id}{index}"


async def _write(tx: Transaction, rows: list[dict[str, Any]]) -> None:
    last = {row["id"]: row for row in rows}
    encoded = as_json(rows)
    statement = tx.dialect.update(
        "task_instance",
        {
            **{name: f"r.{name}" for name in _WRITTEN},
            "dispatched_at": "CASE WHEN r.state = 'queued' THEN NULL ELSE dispatched_at END",
            "rings": "CASE WHEN r.state = 'queued' THEN 0 ELSE rings END",
            "heartbeats": "CASE WHEN r.cause = 'claimed' THEN 0 ELSE heartbeats END",
        },
        rows=tx.dialect.rows(_COLUMNS),
        where="task_instance.id = r.id AND task_instance.version = r.guard",
    )
    encoded_last = encoded if len(last) == len(rows) else as_json(list(last.values()))
    await tx.defer("task_instance", statement, {"rows": encoded_last}, touching=len(last))
    await tx.defer(
        "task_transition",
        "INSERT INTO task_transition (instance, version, from_state, to_state, cause, try_number, token, at)"
        " SELECT r.id, r.version, r.from_state, r.state, r.cause, r.try_number, r.used_token, r.at"
        f" FROM {tx.dialect.rows(_COLUMNS)} WHERE 1 = 1",
        {"rows": encoded},
    )


async def apply_to_runs(tx: Transaction, changes: Sequence[tuple[DagRun, RunEvent]], now: datetime) -> list[DagRun]:
    """Let each event happen to its run, loaded under lock in this transaction, and return the runs after it.

    Deferred, as `apply` is. Raises IllegalTransition where the state machine of runs has no such edge.
    """
    after = [run_transition(run, event, now) for run, event in changes]
    if not after:
        return []
    for (before, _), run in zip(changes, after, strict=True):
        tx.tell(f"run {run.dag_id}.{run.run_id}", {"state": before.state.value}, {"state": run.state.value})
    rows = [
        {
            "id": run.key,
            "version": run.version,
            "state": run.state.value,
            "from_state": before.state.value,
            "cause": event.value,
            "started_at": to_db(run.started_at),
            "ended_at": to_db(run.ended_at),
            "timeout_at": to_db(run.timeout_at),
            "at": to_db(now),
        }
        for (before, event), run in zip(changes, after, strict=True)
    ]
    statement = tx.dialect.update(
        "dag_run",
        {name: f"r.{name}" for name in ("state", "version", "started_at", "ended_at", "timeout_at")},
        rows=tx.dialect.rows(_RUN_COLUMNS),
        where="dag_run.id = r.id AND dag_run.version = r.version - 1",
    )
    await tx.defer("dag_run", statement, {"rows": as_json(rows)}, touching=len(after))
    await tx.defer(
        "run_transition",
        "INSERT INTO run_transition (run, version, from_state, to_state, cause, at)"
        " SELECT r.id, r.version, r.from_state, r.state, r.cause, r.at"
        f" FROM {tx.dialect.rows(_RUN_COLUMNS)} WHERE 1 = 1",
        {"rows": as_json(rows)},
    )
    return after


def _row(before: TaskInstance, after: TaskInstance, event: TaskEvent, now: datetime) -> dict[str, Any]:
    return {
        "id": after.key,
        "version": after.version,
        "state": after.state.value,
        "from_state": before.state.value,
        "cause": event.cause,
        "try_number": after.try_number,
        "max_tries": after.max_tries,
        "leg": after.leg,
        "lost": after.lost,
        "token": after.token,
        "used_token": after.token or before.token,
        "worker": after.worker,
        "lease_until": to_db(after.lease_until),
        "is_cancel_requested": after.is_cancel_requested,
        "held_until": to_db(after.held_until),
        "not_before": to_db(after.not_before),
        "waits_since": to_db(after.waits_since),
        "skips": json.dumps(after.skips) if after.skips else None,
        "needs_propagation": after.needs_propagation,
        "scheduled_at": to_db(after.scheduled_at),
        "queued_at": to_db(after.queued_at),
        "started_at": to_db(after.started_at),
        "ended_at": to_db(after.ended_at),
        "ring_at": to_db(now + UNDISPATCHED_PATIENCE) if after.state is TaskState.QUEUED else None,
        "at": to_db(now),
    }


def _attempt(before: TaskInstance, event: TaskEvent, now: datetime, measured: Measured) -> dict[str, Any]:
    return {
        "instance": before.key,
        "try_number": before.try_number,
        "token": before.token,
        "worker": before.worker or "",
        "cause": event.cause,
        "queued_at": to_db(before.queued_at),
        "started_at": to_db(before.started_at),
        "ended_at": to_db(now),
        "exit_code": measured.exit_code,
        "exit_signal": measured.signal,
        "cpu_seconds": measured.cpu_seconds,
        "peak_rss_bytes": measured.peak_rss_bytes,
        "is_log_truncated": measured.is_log_truncated,
        "error": measured.error,
    }
