"""What people read about a timetable: a short summary for lists and an English sentence."""

from datetime import timedelta
from typing import assert_never

from flowd.domain.timetable.cron import explain_cron
from flowd.domain.timetable.specs import (
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
)


def summary(spec: TimetableSpec) -> str:
    """Return what Airflow shows in a list of DAGs: the cron expression, the delta or the preset's name."""
    match spec:
        case NullTimetable():
            return "None"
        case OnceTimetable():
            return "@once"
        case ContinuousTimetable():
            return "@continuous"
        case RuntimePartitionTimetable():
            return "PartitionedAtRuntime"
        case (
            CronDataIntervalTimetable(expression)
            | CronTriggerTimetable(expression)
            | CronPartitionTimetable(expression)
        ):
            return expression
        case DeltaDataIntervalTimetable(delta) | DeltaTriggerTimetable(delta):
            return str(delta)
        case MultipleCronTriggerTimetable(expressions):
            return ", ".join(expressions)
        case EventsTimetable():
            return description(spec)
        case CustomTimetable(summary=short):
            return short
        case _:
            assert_never(spec)


def description(spec: TimetableSpec) -> str:
    """Return a sentence that says when runs are due."""
    match spec:
        case NullTimetable():
            return "Never, external triggers only"
        case OnceTimetable():
            return "Once, as soon as possible"
        case ContinuousTimetable():
            return "As frequently as possible, but only one run at a time."
        case RuntimePartitionTimetable():
            return "Never, partition key(s) set at runtime"
        case (
            CronDataIntervalTimetable(expression)
            | CronTriggerTimetable(expression)
            | CronPartitionTimetable(expression)
        ):
            return explain_cron(expression)
        case DeltaDataIntervalTimetable(delta) | DeltaTriggerTimetable(delta):
            return f"Every {_in_words(delta)}"
        case MultipleCronTriggerTimetable(expressions):
            return "; ".join(explain_cron(one) for one in expressions)
        case EventsTimetable(events, description=given):
            return given or f"{len(events)} events between {events[0].isoformat()} and {events[-1].isoformat()}"
        case CustomTimetable(description=given):
            return given
        case _:
            assert_never(spec)


def _in_words(delta: timedelta) -> str:
    hours, rest = divmod(delta.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    counts = {"day": delta.days, "hour": hours, "minute": minutes, "second": seconds + delta.microseconds / 1e6}
    return " ".join(f"{count:g} {unit}{'' if count == 1 else 's'}" for unit, count in counts.items() if count)
