"""Backfills: what is refused, which dates there are and in which order, and what becomes of one that has a run."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.backfill import (
    Backfill,
    BackfillRequest,
    ExceptionReason,
    ReprocessBehavior,
    check,
    exception_reason,
    next_dates,
    next_places,
    wanted,
)
from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.errors import InvalidBackfill
from flowd.domain.graph import Graph, graph_of
from flowd.domain.ids import BackfillKey, BundleHash, DagId
from flowd.domain.states import RunState
from flowd.domain.timetable import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    CustomTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    TimetableSpec,
    runs_between,
)
from tests.support.specs import NOW, a_dag, a_task

DAY = timedelta(days=1)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAILY = CronTriggerTimetable("0 0 * * *", "UTC")
OWN = CustomTimetable(name="own", summary="own", description="own")


def asked(**fields: Any) -> BackfillRequest:
    defaults: dict[str, Any] = {"dag_id": DagId("etl"), "from_date": FIRST, "to_date": FIRST + 9 * DAY}
    return BackfillRequest(**(defaults | fields))


def a_backfill(**fields: Any) -> Backfill:
    defaults: dict[str, Any] = {
        "key": BackfillKey(1),
        "request": asked(),
        "dag_version": 1,
        "bundle": BundleHash("c" * 64),
        "triggering_user": None,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Backfill(**(defaults | fields))


def a_graph_of(timetable: TimetableSpec, **fields: Any) -> Graph:
    return graph_of(a_dag(a_task("t", **fields), timetable=timetable))


@pytest.mark.parametrize(
    ("timetable", "fields", "message"),
    [
        (NullTimetable(), {}, "non-periodic"),
        (OnceTimetable(), {}, "non-periodic"),
        (ContinuousTimetable(), {}, "non-periodic"),
        (replace(OWN, is_periodic=False), {}, "non-periodic"),
        (DAILY, {"to_date": FIRST - DAY}, "must not be after to_date"),
        (DAILY, {"from_date": NOW, "to_date": NOW + DAY}, "in the future"),
        (DAILY, {"max_active_runs": 0}, "max_active_runs is 0; wanted 1 or more"),
        (DAILY, {"from_date": FIRST + timedelta(hours=1), "to_date": FIRST + timedelta(hours=2)}, "has no date"),
        (CronDataIntervalTimetable("0 0 * * *", "UTC"), {"from_date": NOW - DAY / 3, "to_date": NOW}, "has no date"),
    ],
)
def test_what_cannot_be_is_refused(timetable: TimetableSpec, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidBackfill, match=message):
        check(asked(**fields), a_graph_of(timetable), NOW)


@pytest.mark.parametrize("timetable", [DAILY, OWN, EventsTimetable((FIRST,)), DeltaTriggerTimetable(DAY)])
def test_a_schedule_with_a_past_is_accepted(timetable: TimetableSpec) -> None:
    check(asked(), a_graph_of(timetable), NOW)


@pytest.mark.parametrize(
    ("behavior", "is_backwards", "message"),
    [
        (ReprocessBehavior.NONE, False, "set reprocess_behavior to failed or completed"),
        (ReprocessBehavior.FAILED, True, "cannot be run backwards"),
        (ReprocessBehavior.FAILED, False, None),
        (ReprocessBehavior.COMPLETED, False, None),
    ],
)
def test_a_chain_of_runs_that_depend_on_their_past_is_not_broken(
    behavior: ReprocessBehavior, is_backwards: bool, message: str | None
) -> None:
    graph = a_graph_of(DAILY, depends_on_past=True)
    request = asked(reprocess_behavior=behavior, is_backwards=is_backwards)

    if message is None:
        check(request, graph, NOW)
    else:
        with pytest.raises(InvalidBackfill, match=message):
            check(request, graph, NOW)


@pytest.mark.parametrize(
    ("found", "behavior", "reason"),
    [
        (RunState.QUEUED, ReprocessBehavior.COMPLETED, ExceptionReason.IN_FLIGHT),
        (RunState.RUNNING, ReprocessBehavior.COMPLETED, ExceptionReason.IN_FLIGHT),
        (RunState.RUNNING, ReprocessBehavior.NONE, ExceptionReason.IN_FLIGHT),
        (RunState.SUCCESS, ReprocessBehavior.NONE, ExceptionReason.ALREADY_EXISTS),
        (RunState.FAILED, ReprocessBehavior.NONE, ExceptionReason.ALREADY_EXISTS),
        (RunState.SUCCESS, ReprocessBehavior.FAILED, ExceptionReason.ALREADY_EXISTS),
        (RunState.FAILED, ReprocessBehavior.FAILED, None),
        (RunState.SUCCESS, ReprocessBehavior.COMPLETED, None),
        (RunState.FAILED, ReprocessBehavior.COMPLETED, None),
    ],
)
def test_what_becomes_of_a_date_that_has_a_run(
    found: RunState, behavior: ReprocessBehavior, reason: ExceptionReason | None
) -> None:
    assert exception_reason(found, behavior) is reason


schedules = st.sampled_from(
    [
        DAILY,
        CronTriggerTimetable("30 1 * * 1-5", "Europe/Zurich", timedelta(hours=2)),
        CronDataIntervalTimetable("0 */6 * * *", "America/New_York"),
        DeltaTriggerTimetable(timedelta(hours=7)),
        MultipleCronTriggerTimetable(("0 3 * * *", "0 9 1 * *"), "UTC"),
        EventsTimetable((FIRST, FIRST + 2 * DAY, FIRST + 3 * DAY)),
    ]
)


@given(schedules, st.integers(0, 40), st.integers(1, 15), st.integers(0, 45))
def test_dates_worked_out_some_at_a_time_are_those_worked_out_at_once(
    timetable: TimetableSpec, days: int, limit: int, over_after: int
) -> None:
    request, now = asked(to_date=FIRST + days * DAY), FIRST + over_after * DAY
    whole = [run for run in runs_between(timetable, request.from_date, request.to_date) if run.data_interval.end < now]

    found: list[NextRun] = []
    while True:
        batch = next_dates(timetable, request, found[-1].data_interval if found else None, now, limit=limit)
        found += batch
        if len(batch) < limit:
            break

    assert found == whole


def test_what_an_own_timetable_tells_beyond_the_range_or_the_present_is_left_out() -> None:
    runs = [NextRun.over(DataInterval(FIRST + day * DAY, FIRST + (day + 1) * DAY)) for day in range(6)]

    assert wanted(runs, asked(to_date=FIRST + 3 * DAY), NOW) == runs[:4]
    assert wanted(runs, asked(), FIRST + 2 * DAY) == runs[:1]


@given(st.integers(0, 50), st.integers(1, 20), st.booleans())
def test_each_place_is_handled_once_and_in_order(planned: int, limit: int, is_backwards: bool) -> None:
    backfill = a_backfill(request=asked(is_backwards=is_backwards), is_planned=True, planned=planned)

    handled: list[int] = []
    for _ in range(math.ceil(planned / limit)):
        assert not backfill.is_all_handled
        places = next_places(backfill, limit)
        handled += places
        backfill = replace(backfill, handled=backfill.handled + len(places))

    assert backfill.is_all_handled
    in_order = list(range(1, planned + 1))
    assert handled == (in_order[::-1] if is_backwards else in_order)
