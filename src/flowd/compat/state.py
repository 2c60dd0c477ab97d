"""`airflow.utils.state.State`: all states in one class, as Airflow 1.10 and 2 had it."""

from flowd.domain.states import FINISHED, TaskState


class State:
    """The states of tasks and runs; those they share compare equal, for they are text."""

    NONE = None
    SCHEDULED = TaskState.SCHEDULED
    QUEUED = TaskState.QUEUED
    RUNNING = TaskState.RUNNING
    SUCCESS = TaskState.SUCCESS
    FAILED = TaskState.FAILED
    SKIPPED = TaskState.SKIPPED
    UPSTREAM_FAILED = TaskState.UPSTREAM_FAILED
    UP_FOR_RETRY = TaskState.UP_FOR_RETRY
    UP_FOR_RESCHEDULE = TaskState.UP_FOR_RESCHEDULE
    DEFERRED = TaskState.DEFERRED
    REMOVED = TaskState.REMOVED
    RESTARTING = TaskState.RESTARTING

    finished = FINISHED
    success_states = frozenset({TaskState.SUCCESS, TaskState.SKIPPED})
    failed_states = frozenset({TaskState.FAILED, TaskState.UPSTREAM_FAILED})
