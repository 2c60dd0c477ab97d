"""Shapes of queues and of dead letters."""

from datetime import datetime
from typing import Self

from flowd.api.schemas.base import Body, Shape
from flowd.api.schemas.workers import WorkerResponse
from flowd.db.views.task_queues import QueueView
from flowd.domain.states import TaskState
from flowd.queue.base import DeadLetter
from flowd.queue.message import glimpse


class QueueResponse(Shape):
    """A queue: how many task instances wait for a place in it, are in it, and run; since when the oldest is in it."""

    name: str
    is_paused: bool
    paused_at: datetime | None
    scheduled: int
    queued: int
    running: int
    oldest_queued_at: datetime | None
    oldest_queued_seconds: float | None
    workers: int

    @classmethod
    def of(cls, view: QueueView, now: datetime) -> Self:
        """Return the shape of a queue as it is at a moment of the metastore's clock."""
        oldest = view.oldest_queued_at
        return cls(
            name=view.name,
            is_paused=view.paused_at is not None,
            paused_at=view.paused_at,
            scheduled=view.by_state[TaskState.SCHEDULED],
            queued=view.by_state[TaskState.QUEUED],
            running=view.by_state[TaskState.RUNNING],
            oldest_queued_at=oldest,
            oldest_queued_seconds=None if oldest is None else (now - oldest).total_seconds(),
            workers=len(view.workers),
        )


class QueueCollectionResponse(Shape):
    """A page of queues."""

    queues: list[QueueResponse]
    total_entries: int


class QueueDetailResponse(Shape):
    """A queue with the workers that take from it."""

    queue: QueueResponse
    workers: list[WorkerResponse]

    @classmethod
    def of(cls, view: QueueView, now: datetime) -> Self:
        """Return the shape of both, as they are at a moment of the metastore's clock."""
        return cls(queue=QueueResponse.of(view, now), workers=[WorkerResponse.of(one, now) for one in view.workers])


class QueuePatchBody(Body):
    """What of a queue is to change."""

    is_paused: bool


class DeadLetterResponse(Shape):
    """A message that was put aside; copies share one id. What it names is what it says of itself, signed or not."""

    id: str
    queue: str | None
    reason: str | None
    size_bytes: int
    dag_id: str | None
    dag_run_id: str | None
    task_id: str | None
    map_index: int | None
    try_number: int | None

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        """Return the shape of a dead letter, without its body: that may hold a script."""
        named = glimpse(letter.body)
        return cls(
            id=letter.id,
            queue=letter.queue,
            reason=letter.reason,
            size_bytes=len(letter.body),
            dag_id=named.dag_id if named else None,
            dag_run_id=named.run_id if named else None,
            task_id=named.task_id if named else None,
            map_index=named.map_index if named else None,
            try_number=named.try_number if named else None,
        )


class DeadLetterCollectionResponse(Shape):
    """A page of dead letters, of the first thousand."""

    dead_letters: list[DeadLetterResponse]
    total_entries: int


class SentBackResponse(Shape):
    """The ids of the dead letters that were sent back."""

    sent_back: list[str]
