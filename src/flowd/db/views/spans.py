"""Spans: when each try of a run's tasks waited and worked, as a Gantt chart draws them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from flowd.db.moments import from_db
from flowd.db.tables import attempt, task_instance
from flowd.db.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One try: queued, started and ended, as far as it has come; `state` is what it ended in, or is in."""

    try_number: int
    state: str
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpans:
    """A task instance with its tries, the first one first."""

    task_id: str
    map_index: int
    state: str
    spans: tuple[Span, ...]


async def spans_of_run(tx: Transaction, run: int, *, limit: int, offset: int = 0) -> tuple[list[InstanceSpans], int]:
    """Return the instances of a run that have been queued, the earliest first, and how many there are."""
    began = task_instance.c.queued_at.is_not(None) | (task_instance.c.try_number > 0)
    of_run = (task_instance.c.run == run, began)
    rows = list(
        (
            await tx.execute(
                select(
                    task_instance.c.id,
                    task_instance.c.task_id,
                    task_instance.c.map_index,
                    task_instance.c.state,
                    task_instance.c.try_number,
                    task_instance.c.queued_at,
                    task_instance.c.started_at,
                    task_instance.c.ended_at,
                )
                .where(*of_run)
                .order_by(task_instance.c.started_at.is_(None), task_instance.c.started_at, task_instance.c.id)
                .limit(limit)
                .offset(offset)
            )
        ).mappings()
    )
    total = int((await tx.execute(select(func.count()).select_from(task_instance).where(*of_run))).scalar_one())
    tries: dict[int, list[Span]] = {row["id"]: [] for row in rows}
    ended = await tx.execute(
        select(attempt).where(attempt.c.instance.in_(list(tries))).order_by(attempt.c.instance, attempt.c.try_number)
    )
    by_key = {row["id"]: row for row in rows}
    for row in ended.mappings():
        instance = by_key[row["instance"]]
        is_last = row["try_number"] == instance["try_number"] and instance["ended_at"] is not None
        tries[row["instance"]].append(
            Span(
                try_number=row["try_number"],
                state=instance["state"] if is_last else "up_for_retry",
                queued_at=from_db(row["queued_at"]),
                started_at=from_db(row["started_at"]),
                ended_at=from_db(row["ended_at"]),
            )
        )
    for row in rows:
        spans = tries[row["id"]]
        if row["try_number"] not in {one.try_number for one in spans}:
            spans.append(
                Span(
                    try_number=row["try_number"],
                    state=row["state"],
                    queued_at=from_db(row["queued_at"]),
                    started_at=from_db(row["started_at"]),
                    ended_at=from_db(row["ended_at"]),
                )
            )
    return [
        InstanceSpans(
            task_id=row["task_id"], map_index=row["map_index"], state=row["state"], spans=tuple(tries[row["id"]])
        )
        for row in rows
    ], total
