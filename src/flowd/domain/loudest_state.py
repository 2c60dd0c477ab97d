"""loudest_state: the one state by which many task instances are shown: the one that a person should look at first."""

from collections.abc import Mapping

from flowd.domain.states import TaskState

LOUDNESS = (
    TaskState.FAILED,
    TaskState.UPSTREAM_FAILED,
    TaskState.UP_FOR_RETRY,
    TaskState.UP_FOR_RESCHEDULE,
    TaskState.RESTARTING,
    TaskState.RUNNING,
    TaskState.DEFERRED,
    TaskState.QUEUED,
    TaskState.SCHEDULED,
    TaskState.NONE,
    TaskState.SUCCESS,
    TaskState.SKIPPED,
    TaskState.REMOVED,
)
"""The loudest first; as in Airflow, but that what has not begun hides what has ended well."""


def loudest_state(counts: Mapping[str, int]) -> TaskState | None:
    """Return the loudest state of which there is an instance; None where there is none."""
    return next((state for state in LOUDNESS if counts.get(state.value)), None)
