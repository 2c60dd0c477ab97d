"""Which run comes next: Airflow 3's rules by table, and what must hold for every timetable by property."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowd.domain.timetable import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DataInterval,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NextRun,
    NullTimetable,
    OnceTimetable,
    TimetableSpec,
    active_runs_limit,
    infer_manual_interval,
    next_run,
    runs_between,
    upcoming,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DAILY_TRIGGER = CronTriggerTimetable("0 0 * * *", "UTC")
DAILY_INTERVAL = CronDataIntervalTimetable("0 0 * * *", "UTC")
HOURLY_DELTA = DeltaTriggerTimetable(HOUR)
HOURLY_DELTA_INTERVAL = DeltaDataIntervalTimetable(HOUR)

EXPRESSIONS = ["*/15 * * * *", "0 0 * * *", "30 2 * * *", "0 */2 * * *", "30 1 * * 0", "0 0 1 * *"]
ZONES = ["UTC", "Europe/Zurich", "America/Havana", "Australia/Lord_Howe", "Asia/Beirut", "Pacific/Apia"]
# Now and then a clock in Europe, America, Australia or Samoa is just being put forward or back.
changes = ["2024-03-31 01:00", "2024-10-27 01:00", "2024-11-03 05:00", "2024-04-06 15:00", "2011-12-30 10:00"]
moments = st.one_of(
    st.datetimes(datetime(2009, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.builds(
        lambda change, minutes: datetime.fromisoformat(change).replace(tzinfo=UTC) + timedelta(minutes=minutes),
        st.sampled_from(changes),
        st.integers(-150, 150),
    ),
)
deltas = st.timedeltas(timedelta(minutes=1), timedelta(days=3))
interval_timetables = st.one_of(
    st.builds(CronDataIntervalTimetable, st.sampled_from(EXPRESSIONS), st.sampled_from(ZONES)),
    st.builds(DeltaDataIntervalTimetable, deltas),
)
trigger_timetables = st.one_of(
    st.builds(
        CronTriggerTimetable,
        st.sampled_from(EXPRESSIONS),
        st.sampled_from(ZONES),
        st.timedeltas(timedelta(0), timedelta(days=2)),
    ),
    st.builds(DeltaTriggerTimetable, deltas, st.timedeltas(timedelta(0), timedelta(days=2))),
    st.builds(
        MultipleCronTriggerTimetable,
        st.tuples(st.sampled_from(EXPRESSIONS), st.sampled_from(EXPRESSIONS)),
        st.sampled_from(ZONES),
    ),
)
timetables = st.one_of(interval_timetables, trigger_timetables, st.just(ContinuousTimetable()))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def interval(start: str, end: str) -> DataInterval:
    return DataInterval(at(start), at(end))


def test_several_cron_expressions_give_a_run_at_the_ticks_of_each_and_one_where_they_meet() -> None:
    spec = MultipleCronTriggerTimetable(("0 6 * * *", "0 */12 * * *"), "Europe/Zurich")

    runs = list(runs_between(spec, at("2024-03-31"), at("2024-04-01")))

    assert [run.run_after.isoformat(" ", "minutes")[:16] for run in runs] == [
        "2024-03-31 04:00",
        "2024-03-31 10:00",
        "2024-03-31 22:00",
    ]


def test_listed_events_give_a_run_each_in_order_and_then_no_more() -> None:
    spec = EventsTimetable((at("2024-01-05"), at("2024-01-02 08:00"), at("2024-01-05")))
    restricted = EventsTimetable(spec.events, restrict_to_events=True)

    assert run_after(spec) == point("2024-01-02 08:00")
    assert run_after(spec, point("2024-01-02 08:00")) == point("2024-01-05")
    assert run_after(spec, point("2024-01-05")) is None
    assert run_after(spec, start="2024-02-01") is None
    assert run_after(spec, catchup=False, now="2024-01-06") == point("2024-01-05")
    assert run_after(spec, catchup=False, now="2024-01-01") == point("2024-01-02 08:00")
    assert infer_manual_interval(spec, at("2024-01-03")) == point("2024-01-03")
    assert infer_manual_interval(restricted, at("2024-01-03")) == point("2024-01-02 08:00")
    assert infer_manual_interval(restricted, at("2024-01-01")) == point("2024-01-02 08:00")


def run_after(
    spec: TimetableSpec,
    last: DataInterval | None = None,
    *,
    start: str = "2024-01-01",
    end: str | None = None,
    catchup: bool = True,
    now: str = "2024-01-10 12:00",
) -> DataInterval | None:
    """The data interval of the next run; the time it is due is asserted to be the interval's end."""
    found = next_run(
        spec, last, start_date=at(start), end_date=None if end is None else at(end), catchup=catchup, now=at(now)
    )
    assert found is None or found.run_after == found.data_interval.end
    return None if found is None else found.data_interval


def point(text: str) -> DataInterval:
    return DataInterval.at(at(text))


@pytest.mark.parametrize(
    ("spec", "start", "expected"),
    [
        (DAILY_TRIGGER, "2024-01-01", point("2024-01-01")),
        (DAILY_TRIGGER, "2024-01-01 08:00", point("2024-01-02")),
        (CronTriggerTimetable("0 0 * * *", "UTC", DAY), "2024-01-05", interval("2024-01-04", "2024-01-05")),
        (DAILY_INTERVAL, "2024-01-01", interval("2024-01-01", "2024-01-02")),
        (DAILY_INTERVAL, "2024-01-01 08:00", interval("2024-01-02", "2024-01-03")),
        (HOURLY_DELTA, "2024-01-01 08:17", point("2024-01-01 08:17")),
        (HOURLY_DELTA_INTERVAL, "2024-01-01 08:17", interval("2024-01-01 08:17", "2024-01-01 09:17")),
        (OnceTimetable(), "2024-01-01 08:17", point("2024-01-01 08:17")),
        (ContinuousTimetable(), "2024-01-01", interval("2024-01-01", "2024-01-10 12:00")),
        (NullTimetable(), "2024-01-01", None),
    ],
)
def test_with_catchup_the_first_run_belongs_to_the_start_date(
    spec: TimetableSpec, start: str, expected: DataInterval | None
) -> None:
    assert run_after(spec, start=start) == expected


@pytest.mark.parametrize(
    ("spec", "now", "expected"),
    [
        (DAILY_TRIGGER, "2024-01-10 12:00", point("2024-01-10")),
        (DAILY_TRIGGER, "2024-01-10", point("2024-01-10")),
        (DAILY_INTERVAL, "2024-01-10 12:00", interval("2024-01-09", "2024-01-10")),
        (DAILY_INTERVAL, "2024-01-10", interval("2024-01-09", "2024-01-10")),
        (HOURLY_DELTA, "2024-01-10 12:34", point("2024-01-10 12:34")),
        (HOURLY_DELTA_INTERVAL, "2024-01-10 12:34", interval("2024-01-10 11:00", "2024-01-10 12:00")),
        (OnceTimetable(), "2024-01-10 12:34", point("2024-01-01")),
        (ContinuousTimetable(), "2024-01-10", interval("2024-01-01", "2024-01-10")),
    ],
)
def test_without_catchup_the_first_run_is_the_latest_that_is_due(
    spec: TimetableSpec, now: str, expected: DataInterval
) -> None:
    assert run_after(spec, catchup=False, now=now) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (DAILY_TRIGGER, point("2024-02-02")),
        (DAILY_INTERVAL, interval("2024-02-02", "2024-02-03")),
        (HOURLY_DELTA, point("2024-02-01 08:30")),
        (HOURLY_DELTA_INTERVAL, interval("2024-02-01 08:30", "2024-02-01 09:30")),
        (ContinuousTimetable(), point("2024-02-01 08:30")),
    ],
)
@pytest.mark.parametrize("catchup", [True, False])
def test_a_start_date_in_the_future_is_waited_for(spec: TimetableSpec, expected: DataInterval, catchup: bool) -> None:
    assert run_after(spec, start="2024-02-01 08:30", catchup=catchup) == expected


@pytest.mark.parametrize(
    ("spec", "last", "catchup", "expected"),
    [
        (DAILY_TRIGGER, point("2024-01-03"), True, point("2024-01-04")),
        (DAILY_TRIGGER, point("2024-01-03"), False, point("2024-01-10")),
        (DAILY_TRIGGER, point("2024-01-10"), False, point("2024-01-11")),
        (DAILY_INTERVAL, interval("2024-01-03", "2024-01-04"), True, interval("2024-01-04", "2024-01-05")),
        (DAILY_INTERVAL, interval("2024-01-03", "2024-01-04"), False, interval("2024-01-09", "2024-01-10")),
        (DAILY_INTERVAL, interval("2024-01-09", "2024-01-10"), False, interval("2024-01-10", "2024-01-11")),
        (HOURLY_DELTA, point("2024-01-10 11:20"), False, point("2024-01-10 12:20")),
        (HOURLY_DELTA, point("2024-01-03"), False, point("2024-01-10 12:00")),
        (HOURLY_DELTA, point("2024-01-03"), True, point("2024-01-03 01:00")),
        (OnceTimetable(), point("2024-01-01"), True, None),
        (
            ContinuousTimetable(),
            interval("2024-01-01", "2024-01-09"),
            True,
            interval("2024-01-09", "2024-01-10 12:00"),
        ),
    ],
)
def test_a_run_follows_the_last_one(
    spec: TimetableSpec, last: DataInterval, catchup: bool, expected: DataInterval | None
) -> None:
    assert run_after(spec, last, catchup=catchup) == expected


@pytest.mark.parametrize(
    ("spec", "last", "expected"),
    [
        (DAILY_TRIGGER, point("2024-01-03"), point("2024-01-21")),
        (DAILY_INTERVAL, interval("2024-01-03", "2024-01-04"), interval("2024-01-21", "2024-01-22")),
        (HOURLY_DELTA, point("2024-01-03"), point("2024-01-20 12:00")),
    ],
)
@pytest.mark.parametrize("catchup", [True, False])
def test_a_start_date_moved_past_the_last_run_is_respected(
    spec: TimetableSpec, last: DataInterval, expected: DataInterval, catchup: bool
) -> None:
    assert run_after(spec, last, start="2024-01-20 12:00", catchup=catchup) == expected


@pytest.mark.parametrize(
    ("spec", "last", "end", "runs"),
    [
        (DAILY_TRIGGER, point("2024-01-03"), "2024-01-04", True),
        (DAILY_TRIGGER, point("2024-01-03"), "2024-01-03 23:59", False),
        (DAILY_INTERVAL, interval("2024-01-03", "2024-01-04"), "2024-01-04", True),
        (DAILY_INTERVAL, interval("2024-01-03", "2024-01-04"), "2024-01-03 23:59", False),
        (OnceTimetable(), None, "2024-01-01", True),
        (OnceTimetable(), None, "2023-12-31", False),
        (ContinuousTimetable(), None, "2024-01-10 12:00", True),
        (ContinuousTimetable(), None, "2024-01-10 11:59", False),
    ],
)
def test_the_end_date_still_belongs_to_the_schedule(
    spec: TimetableSpec, last: DataInterval | None, end: str, runs: bool
) -> None:
    assert (run_after(spec, last, end=end) is not None) == runs


@pytest.mark.parametrize("spec", [DAILY_TRIGGER, DAILY_INTERVAL, HOURLY_DELTA, OnceTimetable(), ContinuousTimetable()])
@pytest.mark.parametrize("catchup", [True, False])
def test_without_a_start_date_nothing_is_scheduled(spec: TimetableSpec, catchup: bool) -> None:
    now = at("2024-01-10")

    assert next_run(spec, None, start_date=None, end_date=None, catchup=catchup, now=now) is None


@pytest.mark.parametrize(
    ("spec", "last", "expected"),
    [
        # Hourly before: the day's interval would bear the logical date of a run that exists.
        (DAILY_INTERVAL, interval("2024-01-03 00:00", "2024-01-03 01:00"), interval("2024-01-04", "2024-01-05")),
        (DAILY_INTERVAL, interval("2024-01-03 10:00", "2024-01-03 11:00"), interval("2024-01-04", "2024-01-05")),
        # A trigger timetable before.
        (DAILY_INTERVAL, point("2024-01-03"), interval("2024-01-04", "2024-01-05")),
        (HOURLY_DELTA_INTERVAL, point("2024-01-03"), interval("2024-01-03 01:00", "2024-01-03 02:00")),
        # An interval that reaches further back than the last run.
        (
            CronTriggerTimetable("0 * * * *", "UTC", DAY),
            point("2024-01-03"),
            interval("2024-01-03 01:00", "2024-01-04 01:00"),
        ),
    ],
)
def test_after_a_change_of_schedule_no_logical_date_comes_again(
    spec: TimetableSpec, last: DataInterval, expected: DataInterval
) -> None:
    assert run_after(spec, last) == expected


def test_a_continuous_dag_that_ran_at_a_future_start_date_goes_on_with_a_new_logical_date() -> None:
    first = run_after(ContinuousTimetable(), start="2024-02-01")
    assert first is not None

    second = run_after(ContinuousTimetable(), first, start="2024-02-01", now="2024-02-01 00:05")

    assert second is not None
    assert first.start < second.start < second.end == at("2024-02-01 00:05")


def test_a_schedule_that_runs_out_of_calendar_ends() -> None:
    assert run_after(DAILY_TRIGGER, point("9999-12-31")) is None
    assert run_after(DeltaTriggerTimetable(timedelta.max)) == point("2024-01-01")
    assert run_after(DeltaTriggerTimetable(timedelta.max), point("2024-01-01")) is None


def test_a_naive_now_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        next_run(
            DAILY_TRIGGER, None, start_date=at("2024-01-01"), end_date=None, catchup=True, now=datetime(2024, 1, 10)
        )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (NullTimetable(), point("2024-01-10 12:34")),
        (OnceTimetable(), point("2024-01-10 12:34")),
        (ContinuousTimetable(), point("2024-01-10 12:34")),
        (DAILY_TRIGGER, point("2024-01-10 12:34")),
        (CronTriggerTimetable("0 0 * * *", "UTC", DAY), interval("2024-01-09 12:34", "2024-01-10 12:34")),
        (HOURLY_DELTA, point("2024-01-10 12:34")),
        (DAILY_INTERVAL, interval("2024-01-09", "2024-01-10")),
        (HOURLY_DELTA_INTERVAL, interval("2024-01-10 11:34", "2024-01-10 12:34")),
    ],
)
def test_a_manual_run_is_about_the_last_complete_interval(spec: TimetableSpec, expected: DataInterval) -> None:
    assert infer_manual_interval(spec, at("2024-01-10 12:34")) == expected


def test_a_backfill_covers_both_its_ends() -> None:
    ticks = [run.logical_date for run in runs_between(DAILY_TRIGGER, at("2024-01-01"), at("2024-01-03"))]
    starts = [run.data_interval for run in runs_between(DAILY_INTERVAL, at("2024-01-01 12:00"), at("2024-01-03"))]

    assert ticks == [at("2024-01-01"), at("2024-01-02"), at("2024-01-03")]
    assert starts == [interval("2024-01-02", "2024-01-03"), interval("2024-01-03", "2024-01-04")]


def test_a_backfill_of_a_schedule_without_a_past_is_empty() -> None:
    for spec in (NullTimetable(), ContinuousTimetable()):
        assert list(runs_between(spec, at("2024-01-01"), at("2024-01-03"))) == []


def test_upcoming_runs_go_on_from_the_last_up_to_the_limit_or_the_end() -> None:
    def ask(spec: TimetableSpec, end: str | None, limit: int) -> list[str]:
        runs = upcoming(
            spec,
            point("2024-01-10"),
            start_date=at("2024-01-01"),
            end_date=None if end is None else at(end),
            catchup=False,
            now=at("2024-01-10 12:00"),
            limit=limit,
        )
        return [f"{run.run_after:%d}" for run in runs]

    assert ask(DAILY_TRIGGER, None, 3) == ["11", "12", "13"]
    assert ask(DAILY_TRIGGER, "2024-01-12", 3) == ["11", "12"]
    assert ask(ContinuousTimetable(), None, 3) == ["10"]


def test_only_a_continuous_timetable_limits_how_many_runs_are_active() -> None:
    assert (active_runs_limit(ContinuousTimetable()), active_runs_limit(DAILY_TRIGGER)) == (1, None)


def first_runs(spec: TimetableSpec, start: datetime, count: int) -> list[NextRun]:
    return list(islice(runs_between(spec, start, start + timedelta(days=3650)), count))


def neighbours(runs: Iterable[NextRun]) -> list[tuple[DataInterval, DataInterval]]:
    return [(before.data_interval, after.data_interval) for before, after in pairwise(runs)]


@settings(max_examples=80, deadline=None)
@given(interval_timetables, moments)
def test_data_intervals_are_contiguous_across_daylight_saving(spec: TimetableSpec, start: datetime) -> None:
    for before, after in neighbours(first_runs(spec, start, 12)):
        assert before.end == after.start
        assert before.start < before.end


@settings(max_examples=80, deadline=None)
@given(timetables, moments, moments, moments, st.booleans(), st.timedeltas(timedelta(0), timedelta(days=3)))
def test_the_next_run_is_later_than_the_last_whatever_timetable_made_that(
    spec: TimetableSpec, start: datetime, last_start: datetime, now: datetime, catchup: bool, length: timedelta
) -> None:
    last = DataInterval(last_start, last_start + length)

    run = next_run(spec, last, start_date=start, end_date=None, catchup=catchup, now=now)

    assert run is not None
    assert run.logical_date > last.start
    assert run.run_after >= run.data_interval.end >= run.data_interval.start


@settings(max_examples=80, deadline=None)
@given(st.one_of(interval_timetables, trigger_timetables), moments, moments)
def test_without_catchup_no_second_run_is_due_behind_the_first(
    spec: TimetableSpec, start: datetime, now: datetime
) -> None:
    runs = upcoming(spec, None, start_date=start, end_date=None, catchup=False, now=now, limit=2)

    assert runs[1].run_after > now


@settings(max_examples=80, deadline=None)
@given(st.one_of(interval_timetables, trigger_timetables), moments, moments, st.booleans())
def test_no_run_begins_before_the_start_date_or_after_the_end_date(
    spec: TimetableSpec, start: datetime, now: datetime, catchup: bool
) -> None:
    end = start + timedelta(days=40)

    runs = upcoming(spec, None, start_date=start, end_date=end, catchup=catchup, now=now, limit=5)

    for run in runs:
        assert run.run_after >= start
        assert isinstance(spec, CronTriggerTimetable | DeltaTriggerTimetable) or start <= run.logical_date <= end


@settings(max_examples=50, deadline=None)
@given(st.builds(CronDataIntervalTimetable, st.sampled_from(EXPRESSIONS), st.sampled_from(ZONES)), moments)
def test_a_manual_run_is_about_an_interval_that_the_schedule_has_too(
    spec: CronDataIntervalTimetable, moment: datetime
) -> None:
    manual = infer_manual_interval(spec, moment)

    scheduled = next(runs_between(spec, manual.start, manual.start))

    assert scheduled.data_interval == manual
    assert manual.end <= moment
