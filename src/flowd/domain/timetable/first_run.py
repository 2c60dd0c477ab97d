"""From when on a DAG runs that has no start date: from when it was first seen, or from the tick before."""

from datetime import datetime, timedelta

from flowd.domain.data_interval import utc
from flowd.domain.timetable.cron import CronTicks
from flowd.domain.timetable.specs import (
    CronPartitionTimetable,
    CronTriggerTimetable,
    MultipleCronTriggerTimetable,
    RunImmediately,
    TimetableSpec,
)

_SHARE = 10
_LEAST = timedelta(minutes=5)
"""With `run_immediately=None` the tick before counts for a tenth of the time to the next one, and so long at least."""


def runs_from(spec: TimetableSpec, start_date: datetime | None, first_seen_at: datetime) -> datetime:
    """Return the moment from which on runs are wanted: the start date, where the DAG has one.

    A cron timetable's `run_immediately` may say that the tick before the DAG was first seen is to have its run too.
    """
    if start_date is not None:
        return start_date
    seen = utc(first_seen_at)
    match spec:
        case CronTriggerTimetable(run_immediately=wanted) | CronPartitionTimetable(run_immediately=wanted):
            return _first_tick(spec.ticks, wanted, seen)
        case MultipleCronTriggerTimetable(run_immediately=wanted):
            return min(_first_tick(ticks, wanted, seen) for ticks in spec.ticks.parts)
        case _:
            return seen


def _first_tick(ticks: CronTicks, wanted: RunImmediately, seen: datetime) -> datetime:
    if wanted is False:
        return seen
    before, after = ticks.align_previous(seen), ticks.next_after(seen)
    if wanted is True:
        return before
    patience = max((after - before) / _SHARE, _LEAST) if wanted is None else wanted
    return before if seen - before <= patience else seen
