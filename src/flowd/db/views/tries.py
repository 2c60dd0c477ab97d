"""The tries of a task instance: those that have ended, and the current one."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select

from flowd.db.moments import from_db
from flowd.db.tables import attempt
from flowd.db.transaction import Transaction
from flowd.db.views.runs import duration_seconds
from flowd.db.views.task_instances import InstanceView
from flowd.domain.errors import NotFound
from flowd.domain.states import TaskState

_STATE_BY_CAUSE = {
    "succeeded": TaskState.SUCCESS,
    "skipped itself": TaskState.SKIPPED,
    "rescheduled": TaskState.UP_FOR_RESCHEDULE,
    "interrupted": None,
    "cleared": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TryView:
    """One try of an instance, what ended it and what the keeper measured of it."""

    number: int
    state: TaskState | None
    cause: str | None
    worker: str | None
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None = None
    exit_signal: int | None = None
    cpu_seconds: float | None = None
    peak_rss_bytes: int | None = None
    error: str | None = None

    @property
    def duration_seconds(self) -> float | None:
        """How long the try took; None until it has ended."""
        return duration_seconds(self.started_at, self.ended_at)


async def tries_of(tx: Transaction, instance: InstanceView) -> list[TryView]:
    """Return the tries of the instance, the first one first. An instance never queued has none."""
    statement = select(attempt).where(attempt.c.instance == instance.key).order_by(attempt.c.try_number)
    rows = (await tx.execute(statement)).mappings().all()
    # The last attempt of the row's current try is told better by the instance, where it stands at its end.
    ended = [_ended(row, instance) for row in rows]
    if instance.try_number and instance.try_number not in {one.number for one in ended}:
        ended.append(_current(instance))
    return ended


async def get_try(tx: Transaction, instance: InstanceView, number: int) -> TryView:
    """Return one try; raise NotFound where the instance has had no such try."""
    for one in await tries_of(tx, instance):
        if one.number == number:
            return one
    raise NotFound(
        f"The Task Instance with dag_id: `{instance.dag_id}`, run_id: `{instance.run_id}`,"
        f" task_id: `{instance.task_id}`, try_number: `{number}` and map_index: `{instance.map_index}` was not found"
    )


def error_text(document: str | None) -> str | None:
    """Return the traceback or message of a stored error, which is plain text or the JSON that a task process wrote."""
    if document is None:
        return None
    try:
        error: Any = json.loads(document)
    except ValueError:
        return document
    if isinstance(error, dict):
        return str(error.get("traceback") or error.get("message") or document)
    return document


def _ended(row: RowMapping, instance: InstanceView) -> TryView:
    is_current = row["try_number"] == instance.try_number and instance.state.is_finished
    return TryView(
        number=row["try_number"],
        state=instance.state if is_current else _STATE_BY_CAUSE.get(row["cause"], TaskState.FAILED),
        cause=row["cause"],
        worker=row["worker"] or None,
        queued_at=from_db(row["queued_at"]),
        started_at=from_db(row["started_at"]),
        ended_at=from_db(row["ended_at"]),
        exit_code=row["exit_code"],
        exit_signal=row["exit_signal"],
        cpu_seconds=row["cpu_seconds"],
        peak_rss_bytes=row["peak_rss_bytes"],
        error=error_text(row["error"]),
    )


def _current(instance: InstanceView) -> TryView:
    return TryView(
        number=instance.try_number,
        state=instance.state,
        cause=None,
        worker=instance.worker,
        queued_at=instance.queued_at,
        started_at=instance.started_at,
        ended_at=instance.ended_at,
    )
