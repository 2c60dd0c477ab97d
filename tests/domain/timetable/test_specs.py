"""Timetable specs survive JSON and refuse what could never run."""

from datetime import UTC, datetime, timedelta
from json import dumps, loads
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.errors import InvalidSchedule
from flowd.domain.timetable import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    CustomTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    RuntimePartitionTimetable,
    TimetableSpec,
    timetable_from_json,
)

expressions = st.sampled_from(["0 0 * * *", "*/15 * * * *", "0 0 * * * 30", "0 0 L * *"])
zones = st.sampled_from(["UTC", "Europe/Zurich", "America/New_York"])
deltas = st.timedeltas(timedelta(microseconds=1), timedelta(days=10_000))
immediately = st.booleans() | st.none() | st.timedeltas(timedelta(0), timedelta(days=9))
intervals = st.timedeltas(timedelta(0), timedelta(days=10_000))
specs: st.SearchStrategy[TimetableSpec] = st.one_of(
    st.sampled_from([NullTimetable(), OnceTimetable(), ContinuousTimetable()]),
    st.builds(CronDataIntervalTimetable, expressions, zones),
    st.builds(CronTriggerTimetable, expressions, zones, intervals, immediately),
    st.builds(
        CronPartitionTimetable, expressions, zones, st.integers(-5, 5), st.sampled_from(["%Y", "%Y-%m-%d"]), immediately
    ),
    st.just(RuntimePartitionTimetable()),
    st.builds(DeltaDataIntervalTimetable, deltas),
    st.builds(DeltaTriggerTimetable, deltas, intervals),
    st.builds(MultipleCronTriggerTimetable, st.tuples(expressions, expressions), zones, intervals, immediately),
    st.builds(
        CustomTimetable,
        name=st.text(),
        summary=st.text(),
        description=st.text(),
        details=st.dictionaries(st.text(), st.integers()),
        active_runs_limit=st.none() | st.integers(1),
    ),
    st.builds(
        EventsTimetable,
        st.lists(st.datetimes(timezones=st.just(UTC)), min_size=1, max_size=3).map(tuple),
        st.booleans(),
        st.none() | st.text(),
    ),
)


@given(specs)
def test_a_spec_survives_json(spec: TimetableSpec) -> None:
    assert timetable_from_json(loads(dumps(spec.to_json()))) == spec


@pytest.mark.parametrize("data", [{}, {"kind": "lunar"}, {"kind": "cron_trigger", "expression": "0 0 * * *"}])
def test_json_that_is_no_timetable_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchedule, match=r"timetable \{.*\} is of no known kind or lacks a value"):
        timetable_from_json(data)


def test_a_timetable_that_lists_nothing_is_refused() -> None:
    with pytest.raises(InvalidSchedule, match="no cron expression is given"):
        MultipleCronTriggerTimetable((), "UTC")
    with pytest.raises(InvalidSchedule, match="event_dates is empty"):
        EventsTimetable(())


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "America", "../etc/passwd", "europe\0zurich"])
def test_an_unknown_time_zone_is_named_with_its_schedule_and_an_example(zone: str) -> None:
    with pytest.raises(InvalidSchedule) as raised:
        CronTriggerTimetable("0 6 * * *", zone)

    assert str(raised.value) == (
        f"schedule '0 6 * * *': unknown time zone {zone!r}; give an IANA name such as 'Europe/Zurich' or 'UTC'"
    )


@pytest.mark.parametrize("delta", [timedelta(0), timedelta(seconds=-1)])
@pytest.mark.parametrize("kind", [DeltaTriggerTimetable, DeltaDataIntervalTimetable])
def test_a_delta_that_is_not_positive_is_refused(
    kind: type[DeltaTriggerTimetable] | type[DeltaDataIntervalTimetable], delta: timedelta
) -> None:
    with pytest.raises(InvalidSchedule, match="the time between two runs must be positive, such as timedelta"):
        kind(delta)


def test_a_negative_data_interval_is_refused() -> None:
    with pytest.raises(InvalidSchedule, match=r"schedule '0 0 \* \* \*': its data interval .* is negative; give one"):
        CronTriggerTimetable("0 0 * * *", "UTC", timedelta(days=-1))


def test_a_cron_spec_checks_its_expression() -> None:
    with pytest.raises(InvalidSchedule, match="bad hour"):
        CronDataIntervalTimetable("0 24 * * *", "UTC")


@pytest.mark.parametrize(
    ("spec", "date", "key"),
    [
        (CronPartitionTimetable("0 0 * * *", "UTC"), datetime(2026, 3, 2, tzinfo=UTC), "2026-03-02T00:00:00"),
        (CronPartitionTimetable("0 0 * * *", "UTC", -2, "%Y-%m-%d"), datetime(2026, 2, 28, tzinfo=UTC), "2026-02-28"),
        (CronPartitionTimetable("0 0 * * *", "UTC", 1, "%Y-%m-%d"), datetime(2026, 3, 3, tzinfo=UTC), "2026-03-03"),
        (CronPartitionTimetable("0 0 * * *", "UTC", -1), datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00"),
    ],
)
def test_the_run_at_a_tick_is_about_a_partition(spec: CronPartitionTimetable, date: datetime, key: str) -> None:
    assert spec.partition_at(datetime(2026, 3, 2, tzinfo=UTC)) == (date, key)
    assert spec.date_of(key) == date


def test_the_key_of_a_partition_is_of_the_local_clock() -> None:
    spec = CronPartitionTimetable("0 0 * * *", "Asia/Taipei")
    tick = datetime(2026, 3, 1, 16, tzinfo=UTC)

    assert spec.partition_at(tick) == (tick, "2026-03-02T00:00:00")
    with pytest.raises(ValueError, match="does not match format"):
        spec.date_of("monday")
