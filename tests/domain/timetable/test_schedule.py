"""What a DAG author may write as `schedule=`, and how it reads to people."""

from datetime import timedelta

import pytest

from flowd.domain.errors import InvalidSchedule
from flowd.domain.timetable import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    TimetableSpec,
    description,
    summary,
    timetable_from_schedule,
)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (None, NullTimetable()),
        ("@once", OnceTimetable()),
        ("@continuous", ContinuousTimetable()),
        ("@hourly", CronTriggerTimetable("0 * * * *", "Asia/Tokyo")),
        ("@daily", CronTriggerTimetable("0 0 * * *", "Asia/Tokyo")),
        ("@midnight", CronTriggerTimetable("0 0 * * *", "Asia/Tokyo")),
        ("@weekly", CronTriggerTimetable("0 0 * * 0", "Asia/Tokyo")),
        ("@monthly", CronTriggerTimetable("0 0 1 * *", "Asia/Tokyo")),
        ("@quarterly", CronTriggerTimetable("0 0 1 */3 *", "Asia/Tokyo")),
        ("@yearly", CronTriggerTimetable("0 0 1 1 *", "Asia/Tokyo")),
        ("@annually", CronTriggerTimetable("0 0 1 1 *", "Asia/Tokyo")),
        ("15 6 * * MON-FRI", CronTriggerTimetable("15 6 * * MON-FRI", "Asia/Tokyo")),
        (timedelta(hours=2), DeltaTriggerTimetable(timedelta(hours=2))),
    ],
)
def test_a_schedule_gives_airflow_3s_timetable(schedule: str | timedelta | None, expected: TimetableSpec) -> None:
    assert timetable_from_schedule(schedule, "Asia/Tokyo") == expected


def test_an_unknown_preset_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidSchedule) as raised:
        timetable_from_schedule("@fortnightly", "UTC")

    assert str(raised.value) == (
        "schedule '@fortnightly': no such preset; use one of @once, @continuous, @hourly, @daily, @midnight, @weekly, "
        "@monthly, @quarterly, @yearly, @annually, or a cron expression such as '0 6 * * 1-5' (06:00 from Monday to "
        "Friday)"
    )


@pytest.mark.parametrize("schedule", ["every day", "", timedelta(0)])
def test_a_bad_schedule_is_refused(schedule: str | timedelta) -> None:
    with pytest.raises(InvalidSchedule):
        timetable_from_schedule(schedule, "UTC")


@pytest.mark.parametrize(
    ("spec", "short", "long"),
    [
        (NullTimetable(), "None", "Never, external triggers only"),
        (OnceTimetable(), "@once", "Once, as soon as possible"),
        (ContinuousTimetable(), "@continuous", "As frequently as possible, but only one run at a time."),
        (CronTriggerTimetable("0 0 * * *", "UTC"), "0 0 * * *", "At 00:00 every day"),
        (CronDataIntervalTimetable("* * * * * *", "UTC"), "* * * * * *", "Every second"),
        (DeltaTriggerTimetable(timedelta(days=1, minutes=1)), "1 day, 0:01:00", "Every 1 day 1 minute"),
        (DeltaTriggerTimetable(timedelta(hours=2, seconds=1.5)), "2:00:01.500000", "Every 2 hours 1.5 seconds"),
    ],
)
def test_a_timetable_reads_as_in_airflow(spec: TimetableSpec, short: str, long: str) -> None:
    assert (summary(spec), description(spec)) == (short, long)
