"""DagRun: one run of a DAG as the ledger holds it, and the state machine it follows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from flowd.domain.errors import IllegalTransition
from flowd.domain.ids import BackfillKey, BundleHash, DagId, RunId, RunKey
from flowd.domain.states import RunState, TaskState

END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DagRun:
    """The state of one run.

    `unfinished` counts its instances that have not ended or been propagated. `has_news` asks the advancer to look at
    the run as a whole: it is new, was changed by a user, or waits for the run before it. The runs of a `backfill` start
    by their ordinals. One that `lacks_interval` has a logical date, and waits for its DAG's own timetable to say what
    it is about.
    """

    key: RunKey
    dag_id: DagId
    run_id: RunId
    dag_version: int
    bundle: BundleHash
    state: RunState = RunState.QUEUED
    version: int = 0
    unfinished: int = 0
    logical_date: datetime | None = None
    run_after: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    timeout_at: datetime | None = None
    has_news: bool = False
    lacks_interval: bool = False
    backfill: BackfillKey | None = None
    backfill_ordinal: int | None = None


class RunEvent(StrEnum):
    """What can happen to a run; the value is the cause that its history keeps."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    DEADLOCKED = "deadlocked"
    CLEARED = "cleared"
    MARKED_SUCCESS = "marked success"
    MARKED_FAILED = "marked failed"
    BACKFILL_CANCELLED = "backfill cancelled"
    IMPORTED_SUCCESS = "imported success"
    IMPORTED_FAILED = "imported failed"


_EDGES: dict[RunEvent, tuple[frozenset[RunState], RunState]] = {
    RunEvent.STARTED: (frozenset({RunState.QUEUED}), RunState.RUNNING),
    RunEvent.SUCCEEDED: (frozenset({RunState.RUNNING}), RunState.SUCCESS),
    RunEvent.FAILED: (frozenset({RunState.RUNNING}), RunState.FAILED),
    RunEvent.TIMED_OUT: (frozenset({RunState.RUNNING}), RunState.FAILED),
    RunEvent.DEADLOCKED: (frozenset({RunState.RUNNING}), RunState.FAILED),
    RunEvent.CLEARED: (frozenset(RunState), RunState.QUEUED),
    RunEvent.MARKED_SUCCESS: (frozenset(RunState), RunState.SUCCESS),
    RunEvent.MARKED_FAILED: (frozenset(RunState), RunState.FAILED),
    RunEvent.BACKFILL_CANCELLED: (frozenset({RunState.QUEUED}), RunState.FAILED),
    RunEvent.IMPORTED_SUCCESS: (frozenset({RunState.QUEUED}), RunState.SUCCESS),
    RunEvent.IMPORTED_FAILED: (frozenset({RunState.QUEUED}), RunState.FAILED),
}


def run_transition(run: DagRun, event: RunEvent, now: datetime) -> DagRun:
    """Return `run` after `event` with its version raised by one; raise IllegalTransition where no edge allows it."""
    allowed, target = _EDGES[event]
    if run.state not in allowed:
        raise IllegalTransition(f"run {run.dag_id} {run.run_id}: {event.value} does not follow state {run.state}")
    after = replace(run, state=target, version=run.version + 1)
    match target:
        case RunState.RUNNING:
            return replace(after, started_at=run.started_at or now, ended_at=None)
        case RunState.QUEUED:
            # The time limit counts from the start: one that is over must not end the run again as soon as it restarts.
            return replace(after, started_at=None, ended_at=None, timeout_at=None)
        case _:
            return replace(after, ended_at=now, started_at=run.started_at or now)


def timeout_at(limit: timedelta | None, now: datetime) -> datetime | None:
    """Return when a run that starts now has had its `limit`: at the end of all time where that would be beyond it."""
    return None if limit is None else now + min(limit, END_OF_TIME - now)


def outcome_of(leaves: Iterable[TaskState]) -> RunEvent:
    """Return how a run ends whose every instance has ended: failed where a leaf failed, else succeeded."""
    failed = {TaskState.FAILED, TaskState.UPSTREAM_FAILED}
    return RunEvent.FAILED if any(state in failed for state in leaves) else RunEvent.SUCCEEDED
