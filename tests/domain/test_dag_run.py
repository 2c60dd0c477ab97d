"""The state machine of a run."""

from datetime import timedelta

import pytest

from flowd.domain.dag_run import END_OF_TIME, RunEvent, outcome_of, run_transition, timeout_at
from flowd.domain.errors import IllegalTransition
from flowd.domain.states import RunState, TaskState
from tests.support.specs import NOW, a_run

LATER = NOW + timedelta(minutes=1)
LEGAL = {
    RunEvent.STARTED: ({RunState.QUEUED}, RunState.RUNNING),
    RunEvent.SUCCEEDED: ({RunState.RUNNING}, RunState.SUCCESS),
    RunEvent.FAILED: ({RunState.RUNNING}, RunState.FAILED),
    RunEvent.TIMED_OUT: ({RunState.RUNNING}, RunState.FAILED),
    RunEvent.DEADLOCKED: ({RunState.RUNNING}, RunState.FAILED),
    RunEvent.CLEARED: (set(RunState), RunState.QUEUED),
    RunEvent.MARKED_SUCCESS: (set(RunState), RunState.SUCCESS),
    RunEvent.MARKED_FAILED: (set(RunState), RunState.FAILED),
    RunEvent.BACKFILL_CANCELLED: ({RunState.QUEUED}, RunState.FAILED),
    RunEvent.IMPORTED_SUCCESS: ({RunState.QUEUED}, RunState.SUCCESS),
    RunEvent.IMPORTED_FAILED: ({RunState.QUEUED}, RunState.FAILED),
}


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("event", RunEvent)
def test_only_the_edges_of_the_graph_are_followed(event: RunEvent, state: RunState) -> None:
    run = a_run(state=state, version=4)
    allowed, target = LEGAL[event]

    if state in allowed:
        after = run_transition(run, event, NOW)

        assert (after.state, after.version) == (target, 5)
        assert (after.ended_at is not None) == target.is_finished
    else:
        with pytest.raises(
            IllegalTransition, match=f"^run etl manual__1: {event.value} does not follow state {state}$"
        ):
            run_transition(run, event, NOW)


def test_a_run_keeps_when_it_started_and_when_it_ended() -> None:
    started = run_transition(a_run(), RunEvent.STARTED, NOW)
    ended = run_transition(started, RunEvent.SUCCEEDED, LATER)

    assert (ended.started_at, ended.ended_at) == (NOW, LATER)


def test_a_run_that_never_started_ends_at_the_moment_it_is_marked() -> None:
    marked = run_transition(a_run(), RunEvent.MARKED_FAILED, NOW)

    assert (marked.started_at, marked.ended_at) == (NOW, NOW)


def test_a_cleared_run_begins_anew_with_its_time_limit_open() -> None:
    timed_out = a_run(state=RunState.FAILED, started_at=NOW, ended_at=NOW, timeout_at=NOW)

    cleared = run_transition(timed_out, RunEvent.CLEARED, LATER)

    assert (cleared.started_at, cleared.ended_at, cleared.timeout_at) == (None, None, None)


@pytest.mark.parametrize(
    ("leaves", "outcome"),
    [
        ([], RunEvent.SUCCEEDED),
        ([TaskState.SUCCESS, TaskState.SKIPPED, TaskState.REMOVED], RunEvent.SUCCEEDED),
        ([TaskState.SUCCESS, TaskState.FAILED], RunEvent.FAILED),
        ([TaskState.UPSTREAM_FAILED, TaskState.SUCCESS], RunEvent.FAILED),
    ],
)
def test_a_run_fails_where_a_leaf_failed(leaves: list[TaskState], outcome: RunEvent) -> None:
    assert outcome_of(leaves) is outcome


def test_a_time_limit_ends_at_the_latest_with_time_itself() -> None:
    assert timeout_at(None, NOW) is None
    assert timeout_at(timedelta(hours=1), NOW) == NOW + timedelta(hours=1)
    assert timeout_at(timedelta.max, NOW) == END_OF_TIME
