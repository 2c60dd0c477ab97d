"""Airflow's timetables by their names: values that the scheduler knows itself, and classes that may be derived from."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from flowd.domain import data_interval
from flowd.domain.errors import InvalidDag
from flowd.domain.partition.mappers import KEY_FORMAT
from flowd.domain.timetable import (
    CronDataIntervalTimetable as CronDataInterval,
)
from flowd.domain.timetable import (
    CronPartitionTimetable as CronPartition,
)
from flowd.domain.timetable import (
    CronTriggerTimetable as CronTrigger,
)
from flowd.domain.timetable import (
    DeltaDataIntervalTimetable as DeltaDataInterval,
)
from flowd.domain.timetable import (
    DeltaTriggerTimetable as DeltaTrigger,
)
from flowd.domain.timetable import (
    EventsTimetable as Events,
)
from flowd.domain.timetable import (
    MultipleCronTriggerTimetable as MultipleCronTrigger,
)
from flowd.domain.timetable import (
    RuntimePartitionTimetable as RuntimePartition,
)
from flowd.domain.timetable import TimetableSpec, infer_manual_interval, next_run
from flowd.domain.timetable import description as description_of
from flowd.domain.timetable import summary as summary_of
from flowd.domain.timetable.schedule import cron_expression
from flowd.domain.timetable.specs import RunImmediately
from flowd.sdk.arguments import as_aware
from flowd.sdk.moments import moment, zone_name
from flowd.sdk.timetable import DagRunInfo, DataInterval, TimeRestriction, Timetable


class KnownTimetable(Timetable):
    """A timetable whose runs the scheduler works out itself, from `spec`; a subclass of one is asked like any other."""

    spec: TimetableSpec

    @property
    def is_known(self) -> bool:
        """True for these classes themselves; what is derived from them may do otherwise."""
        return type(self).__module__ == __name__

    @property
    def summary(self) -> str:
        """What lists of DAGs show."""
        return summary_of(self.spec)

    @property
    def description(self) -> str:  # type: ignore[override]
        """When runs are due, in words."""
        return description_of(self.spec)

    def serialize(self) -> dict[str, Any]:
        """Return the schedule as JSON."""
        return dict(self.spec.to_json())

    def infer_manual_data_interval(self, *, run_after: datetime) -> DataInterval:
        """Return the interval of a run that somebody triggers."""
        return _told(infer_manual_interval(self.spec, _plain(run_after)))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the run that the scheduler would plan."""
        last = last_automated_data_interval
        run = next_run(
            self.spec,
            None if last is None else data_interval.DataInterval(_plain(last.start), _plain(last.end)),
            start_date=None if restriction.earliest is None else _plain(restriction.earliest),
            end_date=None if restriction.latest is None else _plain(restriction.latest),
            catchup=restriction.catchup,
            now=datetime.now(UTC),
        )
        return None if run is None else DagRunInfo(moment(run.run_after), _told(run.data_interval))


class _Cron(KnownTimetable):
    """What Airflow's cron timetables offer to classes that are derived from them."""

    spec: CronTrigger | CronDataInterval

    def _get_next(self, current: datetime) -> datetime:
        """Return the first tick after a moment."""
        return moment(self.spec.ticks.next_after(_plain(current)))

    def _get_prev(self, current: datetime) -> datetime:
        """Return the last tick before a moment."""
        return moment(self.spec.ticks.previous_before(_plain(current)))

    def _align_to_next(self, current: datetime) -> datetime:
        """Return a tick at or after a moment."""
        return moment(self.spec.ticks.align_next(_plain(current)))

    def _align_to_prev(self, current: datetime) -> datetime:
        """Return a tick at or before a moment."""
        return moment(self.spec.ticks.align_previous(_plain(current)))


class CronTriggerTimetable(_Cron):
    """A run at each tick."""

    def __init__(
        self,
        cron: str,
        *,
        timezone: str | tzinfo = UTC,
        interval: timedelta = timedelta(0),
        run_immediately: bool | timedelta | None = False,
    ) -> None:
        self.spec = CronTrigger(
            cron_expression(cron), _name(timezone), interval, _immediately(run_immediately, "CronTriggerTimetable")
        )


class CronPartitionTimetable(_Cron):
    """A run at each tick, about a partition: the tick, or the one `run_offset` ticks after it."""

    spec: CronPartition  # type: ignore[assignment]

    def __init__(
        self,
        cron: str,
        *,
        timezone: str | tzinfo = UTC,
        run_offset: int | None = None,
        run_immediately: bool | timedelta | None = False,
        key_format: str = KEY_FORMAT,
    ) -> None:
        if not isinstance(run_offset, int | None):
            raise InvalidDag(f"CronPartitionTimetable: run_offset is {run_offset!r}, wanted a whole number of ticks")
        immediately = _immediately(run_immediately, "CronPartitionTimetable")
        self.spec = CronPartition(cron_expression(cron), _name(timezone), run_offset or 0, key_format, immediately)


class PartitionedAtRuntime(KnownTimetable):
    """No schedule: who triggers a run may say which partition it is about, and tasks may make events of others."""

    def __init__(self) -> None:
        self.spec = RuntimePartition()


class CronDataIntervalTimetable(_Cron):
    """A run at the end of each interval between two ticks."""

    def __init__(self, cron: str, timezone: str | tzinfo = UTC) -> None:
        self.spec = CronDataInterval(cron_expression(cron), _name(timezone))


class MultipleCronTriggerTimetable(KnownTimetable):
    """A run at each tick of any of several cron expressions."""

    def __init__(
        self,
        *crons: str,
        timezone: str | tzinfo = UTC,
        interval: timedelta = timedelta(0),
        run_immediately: bool | timedelta | None = False,
    ) -> None:
        immediately = _immediately(run_immediately, "MultipleCronTriggerTimetable")
        expressions = tuple(cron_expression(one) for one in crons)
        self.spec = MultipleCronTrigger(expressions, _name(timezone), interval, immediately)


class DeltaTriggerTimetable(KnownTimetable):
    """A run every `delta`."""

    def __init__(self, delta: timedelta, *, interval: timedelta = timedelta(0)) -> None:
        self.spec = DeltaTrigger(delta, interval)


class DeltaDataIntervalTimetable(KnownTimetable):
    """A run at the end of each interval of length `delta`."""

    def __init__(self, delta: timedelta) -> None:
        self.spec = DeltaDataInterval(delta)


class EventsTimetable(KnownTimetable):
    """A run at each of these moments, in whatever order they are given."""

    def __init__(
        self,
        event_dates: Iterable[Any],
        restrict_to_events: bool = False,
        presorted: bool = False,
        description: str | None = None,
    ) -> None:
        moments = tuple(as_aware(one, None, "EventsTimetable: event_dates") for one in event_dates)
        self.spec = Events(tuple(one for one in moments if one is not None), restrict_to_events, description)


def zone_of(zone: tzinfo, where: str) -> str:
    """Return the name of a time zone; raise InvalidDag, naming `where`, for one that has none."""
    name = zone_name(zone)
    if name is None:
        raise InvalidDag(
            f"{where}: the time zone of start_date, {zone!r}, has no name; use ZoneInfo('Europe/Zurich') or UTC"
        )
    return name


def _immediately(wanted: Any, where: str) -> RunImmediately:
    if wanted is not None and not isinstance(wanted, bool | timedelta):
        raise InvalidDag(f"{where}: run_immediately is {wanted!r}, wanted True, False, a timedelta or None")
    return wanted


def _name(zone: str | tzinfo) -> str:
    return zone if isinstance(zone, str) else zone_of(zone, "timetable")


def _plain(at: datetime) -> datetime:
    """Return a datetime of the standard library: those of a library add and compare by rules of their own."""
    return datetime.fromisoformat(at.isoformat())


def _told(interval: data_interval.DataInterval) -> DataInterval:
    return DataInterval(moment(interval.start), moment(interval.end))
