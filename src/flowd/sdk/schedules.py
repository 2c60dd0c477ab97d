"""From what an author gives as `schedule=` to a timetable; the timetable classes are under Airflow's names."""

from collections.abc import Iterable
from datetime import UTC, timedelta, tzinfo
from typing import Any

from flowd.domain.assets import AssetCondition
from flowd.domain.errors import InvalidDag
from flowd.domain.timetable import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    TimetableSpec,
    timetable_from_schedule,
)
from flowd.domain.timetable.schedule import cron_expression
from flowd.sdk.arguments import as_aware
from flowd.sdk.assets import AssetOrTimeSchedule, condition_of
from flowd.sdk.moments import zone_name
from flowd.sdk.timetable import Timetable, spec_of

_TIMETABLES = (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NullTimetable,
    OnceTimetable,
)


def split_schedule(schedule: Any) -> tuple[Any, AssetCondition | None]:
    """Return the part of a schedule that goes by time, and the condition on assets; either may be None."""
    if isinstance(schedule, AssetOrTimeSchedule):
        return schedule.timetable, condition_of(schedule.assets)
    condition = condition_of(schedule)
    return (schedule, None) if condition is None else (None, condition)


def timetable_of(schedule: Any, zone: tzinfo, where: str) -> TimetableSpec:
    """Return the timetable that `schedule` means in the time zone; raise InvalidDag, naming `where`, for none."""
    if isinstance(schedule, _TIMETABLES):
        return schedule
    if isinstance(schedule, Timetable):
        return spec_of(schedule, where)
    if schedule is None or isinstance(schedule, (str, timedelta)):
        try:
            # Only a cron expression is read in a time zone, and needs one that has a name.
            return timetable_from_schedule(schedule, zone_of(zone, where) if isinstance(schedule, str) else "UTC")
        except InvalidDag as error:
            raise type(error)(str(error) if str(error).startswith(where) else f"{where}: {error}") from error
    raise InvalidDag(
        f"{where}: schedule is a {type(schedule).__name__}, which this version of flowd cannot follow; wanted a cron "
        "expression, a preset such as '@daily', a timedelta, a timetable of airflow.timetables, assets or None"
    )


def zone_of(zone: tzinfo, where: str) -> str:
    """Return the name of the DAG's time zone; raise InvalidDag for one that has no name."""
    name = zone_name(zone)
    if name is None:
        raise InvalidDag(
            f"{where}: the time zone of start_date, {zone!r}, has no name; use ZoneInfo('Europe/Zurich') or UTC"
        )
    return name


def cron_trigger(
    cron: str, *, timezone: str | tzinfo = UTC, interval: timedelta = timedelta(0), run_immediately: Any = None
) -> CronTriggerTimetable:
    """Return Airflow's `CronTriggerTimetable(cron, timezone=…)`: a run at each tick."""
    return CronTriggerTimetable(cron_expression(cron), _name(timezone), interval)


def multiple_cron_trigger(
    *crons: str, timezone: str | tzinfo = UTC, interval: timedelta = timedelta(0), run_immediately: Any = None
) -> MultipleCronTriggerTimetable:
    """Return Airflow's `MultipleCronTriggerTimetable(cron, cron, timezone=…)`: a run at each tick of any of them."""
    return MultipleCronTriggerTimetable(tuple(cron_expression(one) for one in crons), _name(timezone), interval)


def events(
    event_dates: Iterable[Any],
    restrict_to_events: bool = False,
    presorted: bool = False,
    description: str | None = None,
) -> EventsTimetable:
    """Return Airflow's `EventsTimetable(event_dates)`: a run at each of these moments, in whatever order they are."""
    moments = tuple(as_aware(one, None, "EventsTimetable: event_dates") for one in event_dates)
    return EventsTimetable(tuple(one for one in moments if one is not None), restrict_to_events, description)


def cron_data_interval(cron: str, timezone: str | tzinfo = UTC) -> CronDataIntervalTimetable:
    """Return Airflow's `CronDataIntervalTimetable(cron, timezone)`: a run at the end of each interval."""
    return CronDataIntervalTimetable(cron_expression(cron), _name(timezone))


def delta_trigger(delta: timedelta, *, interval: timedelta = timedelta(0)) -> DeltaTriggerTimetable:
    """Return Airflow's `DeltaTriggerTimetable(delta)`: a run every `delta`."""
    return DeltaTriggerTimetable(delta, interval)


def delta_data_interval(delta: timedelta) -> DeltaDataIntervalTimetable:
    """Return Airflow's `DeltaDataIntervalTimetable(delta)`: a run at the end of each interval."""
    return DeltaDataIntervalTimetable(delta)


def _name(zone: str | tzinfo) -> str:
    return zone if isinstance(zone, str) else zone_of(zone, "timetable")
