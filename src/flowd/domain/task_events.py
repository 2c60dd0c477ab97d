"""What can happen to a task instance. `cause` is the word that the history keeps."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from flowd.domain.ids import ClaimToken, TaskId
from flowd.domain.states import TaskState
from flowd.domain.task_spec import OnLost


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Its trigger rule is satisfied, or the time it waited for has come: it now competes for a slot."""

    cause: ClassVar[str] = "scheduled"


@dataclass(frozen=True, slots=True)
class Decided:
    """Its upstreams, or a branch, decided that it will not run: skipped, upstream_failed or removed."""

    outcome: TaskState
    cause: ClassVar[str] = "decided"


@dataclass(frozen=True, slots=True)
class CompletedWithoutWork:
    """Its trigger rule is satisfied and there is nothing to execute."""

    cause: ClassVar[str] = "completed without work"


@dataclass(frozen=True, slots=True)
class Queued:
    """Admission gave it a slot: a new try begins, or the next leg of one that waited."""

    cause: ClassVar[str] = "queued"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A worker takes one leg of try `try_number`, under a token it has just made, until its lease ends."""

    try_number: int
    leg: int
    token: ClaimToken
    worker: str
    lease: timedelta
    cause: ClassVar[str] = "claimed"


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The try ended well; `skips` are the downstream tasks it decided against."""

    token: ClaimToken
    skips: tuple[TaskId, ...] = ()
    cause: ClassVar[str] = "succeeded"


@dataclass(frozen=True, slots=True)
class Skipped:
    """The try ended by skipping itself."""

    token: ClaimToken
    cause: ClassVar[str] = "skipped itself"


@dataclass(frozen=True, slots=True)
class Failed:
    """The try failed; where a retry is left and allowed it follows after `retry_after`."""

    token: ClaimToken
    retry_after: timedelta
    is_retry_allowed: bool = True
    cause: ClassVar[str] = "failed"


@dataclass(frozen=True, slots=True)
class Rescheduled:
    """The try goes on in another leg after `wait`: it neither failed nor ended."""

    token: ClaimToken
    wait: timedelta
    cause: ClassVar[str] = "rescheduled"


@dataclass(frozen=True, slots=True)
class Deferred:
    """The try goes on in another leg when it is triggered, at the latest after `wait` (None: however long it takes)."""

    token: ClaimToken
    wait: timedelta | None
    cause: ClassVar[str] = "deferred"


@dataclass(frozen=True, slots=True)
class Triggered:
    """What a deferred try waits for has come: it competes for a slot to go on in `leg` of `try_number`."""

    try_number: int
    leg: int
    cause: ClassVar[str] = "triggered"


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Its worker was told to stop before the try ended: no retry is used."""

    token: ClaimToken
    cause: ClassVar[str] = "interrupted"


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker that holds `token` fell silent past its lease.

    Another try follows at once: the lease has been waited for already, and retry_delay is for the task's own failures.
    """

    token: ClaimToken
    on_lost: OnLost
    cause: ClassVar[str] = "lost"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The try was killed because a user asked for it."""

    token: ClaimToken
    cause: ClassVar[str] = "cancelled"


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A user wants it to stop: it ends at once unless a worker must first kill it."""

    cause: ClassVar[str] = "cancel requested"


@dataclass(frozen=True, slots=True)
class Cleared:
    """A user wants it to run again, with `retries` retries of its own."""

    retries: int
    cause: ClassVar[str] = "cleared"


@dataclass(frozen=True, slots=True)
class Released:
    """The old process of a try whose token a user's action dropped is dead: its worker says so, or its lease is over.

    `try_number` is the try that the process ran.
    """

    try_number: int
    cause: ClassVar[str] = "released"


@dataclass(frozen=True, slots=True)
class Marked:
    """A user says how it ended: success, failed or skipped, whatever it was doing."""

    outcome: TaskState
    cause: ClassVar[str] = "marked"


@dataclass(frozen=True, slots=True)
class RunStopped:
    """Its run was ended (time limit, or marked by a user) before it had finished."""

    outcome: TaskState
    cause: ClassVar[str] = "run stopped"


@dataclass(frozen=True, slots=True)
class Imported:
    """It ended so in another system, whose history is kept here: nothing of it ran in this one, and nothing follows.

    `try_number` is how many tries it took there, 0 for none; `worker` is where the last of them ran.
    """

    outcome: TaskState
    try_number: int = 0
    max_tries: int = 0
    worker: str | None = None
    scheduled_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    cause: ClassVar[str] = "imported"


ReportEvent = Succeeded | Skipped | Failed | Rescheduled | Deferred | Interrupted | Lost | Cancelled
"""Events that end a running try; each shows the token it speaks for."""

TaskEvent = (
    Scheduled
    | Decided
    | CompletedWithoutWork
    | Queued
    | Claimed
    | ReportEvent
    | Triggered
    | CancelRequested
    | Cleared
    | Released
    | Marked
    | RunStopped
    | Imported
)
