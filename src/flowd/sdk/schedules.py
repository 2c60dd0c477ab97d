"""From what an author gives as `schedule=` to a timetable."""

from datetime import timedelta, tzinfo
from typing import Any

from flowd.domain.assets import AssetCondition
from flowd.domain.errors import InvalidDag
from flowd.domain.timetable import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    RuntimePartitionTimetable,
    TimetableSpec,
    timetable_from_schedule,
)
from flowd.sdk.assets import AssetOrTimeSchedule, condition_of
from flowd.sdk.known_timetables import KnownTimetable, zone_of
from flowd.sdk.partitioned_assets import PartitionedAssetTimetable
from flowd.sdk.timetable import Timetable, spec_of

_TIMETABLES = (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    RuntimePartitionTimetable,
)


def split_schedule(schedule: Any) -> tuple[Any, AssetCondition | None]:
    """Return the part of a schedule that goes by time, and the condition on assets; either may be None."""
    if isinstance(schedule, PartitionedAssetTimetable):
        return None, condition_of(schedule.assets)
    if isinstance(schedule, AssetOrTimeSchedule):
        return schedule.timetable, condition_of(schedule.assets)
    condition = condition_of(schedule)
    return (schedule, None) if condition is None else (None, condition)


def timetable_of(schedule: Any, zone: tzinfo, where: str) -> TimetableSpec:
    """Return the timetable that `schedule` means in the time zone; raise InvalidDag, naming `where`, for none."""
    if isinstance(schedule, _TIMETABLES):
        return schedule
    if isinstance(schedule, KnownTimetable) and schedule.is_known:
        return schedule.spec
    if isinstance(schedule, Timetable):
        return spec_of(schedule, where)
    if schedule is None or isinstance(schedule, (str, timedelta)):
        try:
            # Only a cron expression is read in a time zone, and needs one that has a name.
            return timetable_from_schedule(schedule, zone_of(zone, where) if isinstance(schedule, str) else "UTC")
        except InvalidDag as error:
            raise type(error)(str(error) if str(error).startswith(where) else f"{where}: {error}") from error
    is_calendar = type(schedule).__name__ == "relativedelta"
    raise InvalidDag(
        f"{where}: schedule is a {type(schedule).__name__}, which this version of flowd cannot follow; wanted a cron "
        "expression, a preset such as '@daily', a timedelta, a timetable of airflow.timetables, assets or None"
        + ("; for months write '@monthly' or a cron expression such as '0 0 1 */3 *'" if is_calendar else "")
    )
