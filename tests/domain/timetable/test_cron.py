"""The instants a cron expression fires at, above all where a clock is put forward or back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowd.domain.errors import InvalidSchedule
from flowd.domain.timetable.cron import CronTicks, check_cron

EXPRESSIONS = [
    "* * * * *",
    "*/15 * * * *",
    "30 * * * *",
    "0 0 * * *",
    "30 2 * * *",
    "0,30 0-4 * * *",
    "*/20 1,2,3 * * *",
    "0 */2 * * *",
    "30 1 * * 0",
    "0 0 1 * *",
    "15 2 L * *",
    "30 2 * * * 15",
    "0 * * * * 30",
]
# Shifts of an hour, half an hour, at midnight, of a whole day (Apia, 2011), in both hemispheres, and none.
ZONES = [
    "UTC",
    "Europe/Zurich",
    "America/New_York",
    "America/Havana",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "Pacific/Apia",
    "Antarctica/Troll",
]
# Now and then a clock in Europe, America, Australia or Samoa is just being put forward or back.
CHANGES = ["2024-03-31 01:00", "2024-10-27 01:00", "2024-11-03 05:00", "2024-04-06 15:00", "2011-12-30 10:00"]
moments = st.one_of(
    st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    st.builds(
        lambda change, minutes: datetime.fromisoformat(change).replace(tzinfo=UTC) + timedelta(minutes=minutes),
        st.sampled_from(CHANGES),
        st.integers(-150, 150),
    ),
)
ticks = st.builds(CronTicks, st.sampled_from(EXPRESSIONS), st.sampled_from(ZONES).map(ZoneInfo))


def fired(expression: str, zone: str, after: datetime, count: int) -> list[str]:
    ticks, found = CronTicks(expression, ZoneInfo(zone)), [after]
    for _ in range(count):
        found.append(ticks.next_after(found[-1]))
    return [f"{tick:%d %H:%M}" for tick in found[1:]]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# In Zurich 02:00 became 03:00 on 31 March 2024 at 01:00 UTC, and 03:00 became 02:00 on 27 October at 01:00 UTC.
@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("30 2 * * *", "2024-03-30 12:00", ["31 01:00", "01 00:30"]),
        ("0,30 2 * * *", "2024-03-30 12:00", ["31 01:00", "01 00:00", "01 00:30"]),
        ("0 2,3 * * *", "2024-03-30 12:00", ["31 01:00", "01 00:00"]),
        ("*/15 2 * * *", "2024-03-30 12:00", ["31 01:00", "01 00:00"]),
        ("30 * * * *", "2024-03-31 00:00", ["31 00:30", "31 01:30"]),
        ("30 2 * * * 15", "2024-03-30 12:00", ["31 01:00", "01 00:30"]),
    ],
)
def test_a_time_of_day_inside_a_gap_fires_at_the_first_instant_after_it(
    expression: str, after: str, expected: list[str]
) -> None:
    assert fired(expression, "Europe/Zurich", at(after), len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("30 2 * * *", "2024-10-26 12:00", ["27 00:30", "28 01:30"]),
        ("30 2 * * *", "2024-10-27 01:10", ["28 01:30"]),
        ("*/30 2 * * *", "2024-10-26 12:00", ["27 00:00", "27 00:30", "28 01:00"]),
        ("0 */2 * * *", "2024-10-26 21:00", ["26 22:00", "27 00:00", "27 03:00"]),
    ],
)
def test_a_time_of_day_inside_a_fold_fires_once(expression: str, after: str, expected: list[str]) -> None:
    assert fired(expression, "Europe/Zurich", at(after), len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "before", "expected"),
    [
        ("30 2 * * *", "2024-10-27 01:10", "27 00:30"),
        ("30 2 * * *", "2024-10-27 12:00", "27 00:30"),
        ("30 2 * * *", "2024-10-27 00:30", "26 00:30"),
        ("30 * * * *", "2024-10-27 01:20", "27 00:30"),
        ("30 * * * *", "2024-10-27 01:40", "27 01:30"),
        ("*/15 * * * *", "2024-10-27 01:20", "27 01:15"),
        ("*/15 * * * *", "2024-10-27 01:00", "27 00:45"),
        ("30 2 * * *", "2024-03-31 01:10", "31 01:00"),
        ("30 2 * * *", "2024-03-31 01:00", "30 01:30"),
        ("30 * * * *", "2024-03-31 01:10", "31 00:30"),
    ],
)
def test_the_tick_before_is_found_through_gaps_and_folds(expression: str, before: str, expected: str) -> None:
    tick = CronTicks(expression, ZoneInfo("Europe/Zurich")).previous_before(at(before))

    assert f"{tick:%d %H:%M}" == expected


@pytest.mark.parametrize("zone", ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "America/Havana"])
@pytest.mark.parametrize("month", [4, 10])
def test_every_quarter_of_an_hour_follows_real_time_through_folds_and_gaps(zone: str, month: int) -> None:
    quarter_hourly = CronTicks("*/15 * * * *", ZoneInfo(zone))
    tick = datetime(2024, month - 1, 1, tzinfo=UTC)
    end = datetime(2024, month + 1, 15, tzinfo=UTC)

    steps = set()
    while tick < end:
        following = quarter_hourly.next_after(tick)
        steps.add(following - tick)
        tick = following

    assert steps == {timedelta(minutes=15)}


def test_seconds_are_the_sixth_field_as_in_airflow() -> None:
    assert CronTicks("30 2 * * * 15", ZoneInfo("UTC")).next_after(at("2024-05-01")) == at("2024-05-01 02:30:15")
    assert CronTicks("* * * * * *", ZoneInfo("UTC")).next_after(at("2024-05-01")) == at("2024-05-01 00:00:01")


def test_a_day_that_a_zone_left_out_fires_when_the_next_one_begins() -> None:
    # Samoa went from 29 December 2011 straight to 31 December, which began at 10:00 UTC on the 30th.
    assert fired("0 0 30 12 *", "Pacific/Apia", at("2011-12-01"), 1) == ["30 10:00"]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES).map(ZoneInfo), st.integers(2006, 2030), st.integers(1, 365), st.integers(0, 1439))
def test_a_time_of_day_fires_once_a_day_in_the_first_pass_or_where_a_gap_ends(
    zone: ZoneInfo, year: int, day: int, minute: int
) -> None:
    """Against an oracle that looks at the clock every minute."""
    start = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day, minutes=minute)
    time_of_day = start.astimezone(zone).time().replace(hour=2, minute=30)

    def shows_or_jumps_over(instant: datetime) -> bool:
        shown = instant.astimezone(zone)
        before = (instant - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None)
        now = shown.replace(tzinfo=None)
        due = [datetime.combine(date, time_of_day) for date in (before.date(), now.date())]
        return any(before < moment <= now for moment in due) and shown.fold == 0

    minutes = (start + timedelta(minutes=offset) for offset in range(1, 3 * 24 * 60))
    assert CronTicks("30 2 * * *", zone).next_after(start) == next(filter(shows_or_jumps_over, minutes))


@settings(max_examples=150, deadline=None)
@given(ticks, moments)
def test_no_tick_lies_between_a_moment_and_the_next_tick(ticks: CronTicks, moment: datetime) -> None:
    following = ticks.next_after(moment)
    previous = ticks.previous_before(following)

    assert previous <= moment < following
    assert ticks.next_after(previous) == following


@settings(max_examples=150, deadline=None)
@given(ticks, moments)
def test_alignment_keeps_a_tick_and_moves_anything_else_to_its_neighbour(ticks: CronTicks, moment: datetime) -> None:
    tick = ticks.next_after(moment)

    assert ticks.align_next(tick) == ticks.align_previous(tick) == tick
    assert ticks.align_previous(moment) <= moment <= ticks.align_next(moment)
    assert ticks.align_previous(tick - datetime.resolution) == ticks.previous_before(tick)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["* * * * *", "*/15 * * * *", "30 * * * *", "0 * * * *"]),
    st.sampled_from(ZONES).map(ZoneInfo),
    moments,
)
def test_an_expression_for_every_hour_fires_whenever_the_clock_shows_a_match(
    expression: str, zone: ZoneInfo, moment: datetime
) -> None:
    wanted = {"* * * * *": range(60), "*/15 * * * *": range(0, 60, 15), "30 * * * *": [30], "0 * * * *": [0]}[
        expression
    ]
    start = moment.replace(second=0, microsecond=0)

    later = (start + timedelta(minutes=offset) for offset in range(1, 26 * 60))
    expected = next(minute for minute in later if minute.astimezone(zone).minute in wanted)

    assert CronTicks(expression, zone).next_after(start) == expected


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("61 * * * *", "bad minute"),
        ("* * *", "wrong number of fields"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("hello", "wrong number of fields"),
        ("* * * * * 60", "bad second"),
        ("", "wrong number of fields"),
    ],
)
def test_a_malformed_expression_is_named_with_its_fault_and_an_example(expression: str, found: str) -> None:
    with pytest.raises(InvalidSchedule) as raised:
        check_cron(expression)

    assert str(raised.value) == (
        f"schedule {expression!r}: {found}; a cron expression has five fields, minute hour day-of-month month "
        "day-of-week, and may have seconds as the sixth, such as '0 6 * * 1-5' (06:00 from Monday to Friday)"
    )


def test_spaces_between_fields_do_not_matter() -> None:
    assert check_cron("  0  6 * *\t1-5 ") == "0 6 * * 1-5"
