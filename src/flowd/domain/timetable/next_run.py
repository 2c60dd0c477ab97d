"""Which run a timetable wants next. Time is an argument: nothing here reads a clock.

The rules are those of Airflow 3's timetables. One guarantee goes beyond them: the logical date of the next run is
later than that of the last, even after a DAG changed its schedule, because a run is known by it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from flowd.domain.data_interval import DataInterval, NextRun, utc
from flowd.domain.timetable.cron import CronTicks
from flowd.domain.timetable.delta import DeltaTicks
from flowd.domain.timetable.listed import EventTicks, MergedTicks
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


def next_run(
    spec: TimetableSpec,
    last: DataInterval | None,
    *,
    start_date: datetime | None,
    end_date: datetime | None,
    catchup: bool,
    now: datetime,
) -> NextRun | None:
    """Return the run that follows the scheduled run about `last` (None before the first), or None for no more.

    It may be due already or lie in the future: create it at `run_after`. Without a `start_date` there is none. No run
    starts after `end_date` (inclusive). With `catchup` every interval since the start date gets its run; without, those
    missed are skipped up to the latest that is due at `now`. Raises ValueError for a naive datetime.
    """
    if start_date is None:
        return None
    bounds = _Bounds(
        earliest=utc(start_date),
        latest=None if end_date is None else utc(end_date),
        skip_to=None if catchup else utc(now),
    )
    try:
        return _next_run(spec, last, bounds, utc(now))
    except OverflowError:
        return None  # The run would be due after the year 9999.


def upcoming(
    spec: TimetableSpec,
    last: DataInterval | None,
    *,
    start_date: datetime | None,
    end_date: datetime | None,
    catchup: bool,
    now: datetime,
    limit: int,
) -> list[NextRun]:
    """Return up to `limit` runs that follow `last`, soonest first, as they would be created if none were late.

    A continuous timetable knows only its next run, for the one after it begins when that has ended.
    """
    if isinstance(spec, ContinuousTimetable):
        limit = min(limit, 1)
    runs: list[NextRun] = []
    while len(runs) < limit:
        run = next_run(spec, last, start_date=start_date, end_date=end_date, catchup=catchup, now=now)
        if run is None:
            break
        runs.append(run)
        last = run.data_interval
    return runs


def is_periodic(spec: TimetableSpec) -> bool:
    """True where the timetable gives runs again and again by the clock, so that those of the past can be made up."""
    if isinstance(spec, CustomTimetable):
        return spec.is_periodic
    return not isinstance(spec, NullTimetable | RuntimePartitionTimetable | OnceTimetable | ContinuousTimetable)


def runs_between(
    spec: TimetableSpec, start: datetime, end: datetime, *, last: DataInterval | None = None
) -> Iterator[NextRun]:
    """Yield, in order, the runs that a backfill from `start` to `end` (both inclusive) is about, behind that of `last`.

    For an interval timetable these bound the start of the data interval, for a trigger timetable the tick. A continuous
    timetable has no runs to replay: its intervals are what they were. A custom one is not known here.
    """
    if isinstance(spec, ContinuousTimetable):
        return
    while run := next_run(spec, last, start_date=start, end_date=end, catchup=True, now=end):
        yield run
        last = run.data_interval


def infer_manual_interval(spec: TimetableSpec, run_after: datetime) -> DataInterval:
    """Return the data interval of a run that somebody triggers at `run_after`."""
    moment = utc(run_after)
    match spec:
        case (
            NullTimetable()
            | OnceTimetable()
            | ContinuousTimetable()
            | CronPartitionTimetable()
            | RuntimePartitionTimetable()
            | CustomTimetable()
        ):
            return DataInterval.at(moment)
        case CronDataIntervalTimetable():
            end = spec.ticks.align_previous(moment)
            return DataInterval(spec.ticks.previous_before(end), end)
        case DeltaDataIntervalTimetable(delta):
            return DataInterval.ending(moment, delta)
        case (
            CronTriggerTimetable(interval=interval)
            | DeltaTriggerTimetable(interval=interval)
            | MultipleCronTriggerTimetable(interval=interval)
        ):
            return DataInterval.ending(moment, interval)
        case EventsTimetable(events, is_restricted):
            return DataInterval.at(max(spec.ticks.align_previous(moment), events[0]) if is_restricted else moment)
        case _:
            assert_never(spec)


def previous_date(spec: TimetableSpec, date: datetime) -> datetime:
    """Return the logical date that the schedule has before `date`; `date` itself where it has no dates of its own."""
    match spec:
        case CronDataIntervalTimetable() | CronTriggerTimetable():
            return spec.ticks.previous_before(utc(date))
        case DeltaDataIntervalTimetable(delta) | DeltaTriggerTimetable(delta):
            return utc(date) - delta
        case _:
            return utc(date)


def active_runs_limit(spec: TimetableSpec) -> int | None:
    """Return how many runs of this timetable may be active at once, or None where it does not care."""
    if isinstance(spec, CustomTimetable):
        return spec.active_runs_limit
    return 1 if isinstance(spec, ContinuousTimetable) else None


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Where runs may lie. `skip_to` is the present moment where runs missed before it are to be left out."""

    earliest: datetime
    latest: datetime | None
    skip_to: datetime | None

    def is_over(self, moment: datetime) -> bool:
        return self.latest is not None and moment > self.latest


def _next_run(spec: TimetableSpec, last: DataInterval | None, bounds: _Bounds, now: datetime) -> NextRun | None:
    match spec:
        case NullTimetable() | RuntimePartitionTimetable() | CustomTimetable():
            return None
        case OnceTimetable():
            return _once(last, bounds)
        case ContinuousTimetable():
            return _as_soon_as_possible(last, bounds, now)
        case CronDataIntervalTimetable():
            return _after_interval(spec.ticks, last, bounds)
        case DeltaDataIntervalTimetable(delta):
            return _after_interval(DeltaTicks(delta), last, bounds)
        case CronTriggerTimetable() | MultipleCronTriggerTimetable():
            return _at_tick(spec.ticks, spec.interval, last, bounds)
        case EventsTimetable() | CronPartitionTimetable():
            return _at_tick(spec.ticks, timedelta(0), last, bounds)
        case DeltaTriggerTimetable(delta):
            return _at_tick(DeltaTicks(delta), spec.interval, last, bounds)
        case _:
            assert_never(spec)


def _once(last: DataInterval | None, bounds: _Bounds) -> NextRun | None:
    if last is not None or bounds.is_over(bounds.earliest):
        return None
    return NextRun.over(DataInterval.at(bounds.earliest))


def _as_soon_as_possible(last: DataInterval | None, bounds: _Bounds, now: datetime) -> NextRun | None:
    start = bounds.earliest if last is None else last.end
    if last is not None and start <= last.start:
        # The first run before its start date is about no time at all; the next needs a logical date of its own.
        start = last.start + datetime.resolution
    end = max(start, now)
    return None if bounds.is_over(end) else NextRun.over(DataInterval(start, end))


def _after_interval(ticks: CronTicks | DeltaTicks, last: DataInterval | None, bounds: _Bounds) -> NextRun | None:
    start = ticks.align_next(bounds.earliest)
    if bounds.skip_to is not None:
        start = max(start, ticks.latest_complete(bounds.skip_to))
    if last is not None:
        # The last interval may end between two ticks: the DAG may have had another schedule then.
        start = max(start, ticks.align_previous(last.end))
        if start <= last.start:
            start = ticks.next_after(last.start)
    return None if bounds.is_over(start) else NextRun.over(DataInterval(start, ticks.next_after(start)))


def _at_tick(
    ticks: CronTicks | DeltaTicks | MergedTicks | EventTicks,
    interval: timedelta,
    last: DataInterval | None,
    bounds: _Bounds,
) -> NextRun | None:
    tick = ticks.align_next(bounds.earliest)
    if last is not None:
        tick = max(tick, ticks.next_after(max(last.end, last.start + interval)))
    if bounds.skip_to is not None:
        tick = max(tick, ticks.align_previous(bounds.skip_to))
    return None if bounds.is_over(tick) else NextRun.over(DataInterval.ending(tick, interval))
