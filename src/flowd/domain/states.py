"""States of runs and task instances, with Airflow's spelling."""

from enum import StrEnum


class TaskState(StrEnum):
    """State of a task instance. `NONE` is stored as the word, and shown as null."""

    NONE = "none"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    UPSTREAM_FAILED = "upstream_failed"
    UP_FOR_RETRY = "up_for_retry"
    UP_FOR_RESCHEDULE = "up_for_reschedule"
    DEFERRED = "deferred"
    REMOVED = "removed"
    RESTARTING = "restarting"

    @property
    def is_finished(self) -> bool:
        """True where only a user's action can lead further."""
        return self in FINISHED

    @property
    def is_waiting_for_time(self) -> bool:
        """True where the instance holds no slot and goes on at its `not_before`."""
        return self in WAITING


class RunState(StrEnum):
    """State of a DagRun."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def is_finished(self) -> bool:
        """True for success and failed."""
        return self in (RunState.SUCCESS, RunState.FAILED)


class RunType(StrEnum):
    """Why a DagRun exists."""

    MANUAL = "manual"
    SCHEDULED = "scheduled"
    BACKFILL = "backfill"
    ASSET_TRIGGERED = "asset_triggered"
    OPERATOR_TRIGGERED = "operator_triggered"
    ASSET_MATERIALIZATION = "asset_materialization"


class TriggeredBy(StrEnum):
    """Through which door a DagRun was asked for."""

    CLI = "cli"
    OPERATOR = "operator"
    REST_API = "rest_api"
    UI = "ui"
    TEST = "test"
    TIMETABLE = "timetable"
    ASSET = "asset"
    BACKFILL = "backfill"


FINISHED = frozenset(
    {TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED, TaskState.UPSTREAM_FAILED, TaskState.REMOVED}
)
WAITING = frozenset({TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE, TaskState.DEFERRED})
HOLDS_SLOT = frozenset({TaskState.QUEUED, TaskState.RUNNING})
