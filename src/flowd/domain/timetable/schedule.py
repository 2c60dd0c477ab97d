"""From what a DAG author writes as `schedule=` to a timetable, with Airflow 3's defaults."""

from datetime import timedelta

from flowd.domain.errors import InvalidSchedule
from flowd.domain.timetable.cron import EXAMPLE
from flowd.domain.timetable.specs import (
    ContinuousTimetable,
    CronTriggerTimetable,
    DeltaTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    TimetableSpec,
)

CRON_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def timetable_from_schedule(schedule: str | timedelta | None, timezone: str = "UTC") -> TimetableSpec:
    """Return the timetable Airflow 3 makes of `schedule` in the time zone called `timezone` (an IANA name).

    A cron expression or preset gives a run at each tick, a timedelta one run per delta. Raises InvalidSchedule for a
    cron expression that is malformed or never fires, an unknown preset or time zone, a delta that is not positive.
    """
    match schedule:
        case None:
            return NullTimetable()
        case timedelta():
            return DeltaTriggerTimetable(schedule)
        case "@once":
            return OnceTimetable()
        case "@continuous":
            return ContinuousTimetable()
        case str():
            return CronTriggerTimetable(cron_expression(schedule), timezone)


def cron_expression(text: str) -> str:
    """Return the cron expression behind a preset, or `text` itself; raise InvalidSchedule for an unknown preset."""
    if not text.startswith("@"):
        return text
    try:
        return CRON_PRESETS[text]
    except KeyError:
        presets = ", ".join(["@once", "@continuous", *CRON_PRESETS])
        raise InvalidSchedule(
            f"schedule {text!r}: no such preset; use one of {presets}, or a cron expression such as {EXAMPLE}"
        ) from None
