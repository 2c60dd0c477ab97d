"""From when on a DAG without a start date runs."""

from datetime import UTC, datetime, timedelta

import pytest

from flowd.domain.timetable import (
    CronPartitionTimetable,
    CronTriggerTimetable,
    DeltaTriggerTimetable,
    MultipleCronTriggerTimetable,
    TimetableSpec,
    next_run,
    runs_from,
)
from flowd.domain.timetable.specs import RunImmediately

TICK = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def cron(wanted: RunImmediately) -> CronTriggerTimetable:
    return CronTriggerTimetable("0 */2 * * *", "UTC", run_immediately=wanted)


def first_tick(spec: TimetableSpec, seen: datetime, start_date: datetime | None = None) -> datetime | None:
    begins = runs_from(spec, start_date, seen)
    run = next_run(spec, None, start_date=begins, end_date=None, catchup=False, now=seen)
    return None if run is None else run.run_after


@pytest.mark.parametrize(
    ("wanted", "minutes_ago", "expected"),
    [
        (False, 1, TICK + 120 * MINUTE),
        (True, 1, TICK),
        (True, 119, TICK),
        (None, 12, TICK),
        (None, 13, TICK + 120 * MINUTE),
        (30 * MINUTE, 30, TICK),
        (30 * MINUTE, 31, TICK + 120 * MINUTE),
        (timedelta(0), 0, TICK),
    ],
)
def test_the_tick_before_has_its_run_where_run_immediately_says_so(
    wanted: RunImmediately, minutes_ago: int, expected: datetime
) -> None:
    assert first_tick(cron(wanted), TICK + minutes_ago * MINUTE) == expected


def test_with_short_times_between_ticks_five_minutes_are_recent() -> None:
    spec = CronTriggerTimetable("*/10 * * * *", "UTC", run_immediately=None)

    assert first_tick(spec, TICK + 5 * MINUTE) == TICK
    assert first_tick(spec, TICK + 6 * MINUTE) == TICK + 10 * MINUTE


def test_a_start_date_counts_alone() -> None:
    assert first_tick(cron(True), TICK + MINUTE, TICK + MINUTE) == TICK + 120 * MINUTE


def test_partitions_and_several_expressions_have_it_too_and_others_begin_when_they_were_seen() -> None:
    seen = TICK + MINUTE
    several = MultipleCronTriggerTimetable(("0 6 * * *", "0 5 * * *"), "UTC", run_immediately=2 * MINUTE)

    assert first_tick(CronPartitionTimetable("0 6 * * *", "UTC", run_immediately=True), seen) == TICK
    assert first_tick(several, seen) == TICK
    assert runs_from(DeltaTriggerTimetable(timedelta(hours=1)), None, seen) == seen
