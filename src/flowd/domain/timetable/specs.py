"""The kinds of timetable as values that survive JSON. What they mean is in `next_run`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flowd.domain.data_interval import utc
from flowd.domain.errors import InvalidSchedule
from flowd.domain.timetable.cron import CronTicks, check_cron
from flowd.domain.timetable.listed import EventTicks, MergedTicks

_NO_TIME = timedelta(0)

RunImmediately = bool | timedelta | None
"""Whether a DAG without a start date runs at once for the tick before it was first seen: always, never, if that was no
longer ago, or, with None, if that was a tenth of the time between two ticks ago, or five minutes."""


@dataclass(frozen=True, slots=True)
class NullTimetable:
    """Never: the DAG runs only when triggered (`schedule=None`)."""

    def to_json(self) -> dict[str, Any]:
        return {"kind": "none"}


@dataclass(frozen=True, slots=True)
class OnceTimetable:
    """Once, at the start date (`@once`)."""

    def to_json(self) -> dict[str, Any]:
        return {"kind": "once"}


@dataclass(frozen=True, slots=True)
class ContinuousTimetable:
    """A run as soon as the one before has ended (`@continuous`)."""

    def to_json(self) -> dict[str, Any]:
        return {"kind": "continuous"}


@dataclass(frozen=True, slots=True)
class CronDataIntervalTimetable:
    """A run at the end of each interval between two ticks of a cron expression (Airflow 2's default).

    Raises InvalidSchedule for an expression that can never fire or an unknown time zone.
    """

    expression: str
    timezone: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", check_cron(self.expression))
        known_zone(self.timezone, self.expression)

    @property
    def ticks(self) -> CronTicks:
        """The instants at which intervals meet."""
        return CronTicks(self.expression, ZoneInfo(self.timezone))

    def to_json(self) -> dict[str, Any]:
        return {"kind": "cron_data_interval", "expression": self.expression, "timezone": self.timezone}


@dataclass(frozen=True, slots=True)
class CronTriggerTimetable:
    """A run at each tick of a cron expression, about the `interval` before the tick (Airflow 3's default).

    Raises InvalidSchedule for an expression that can never fire, an unknown time zone or a negative interval.
    """

    expression: str
    timezone: str
    interval: timedelta = _NO_TIME
    run_immediately: RunImmediately = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", check_cron(self.expression))
        known_zone(self.timezone, self.expression)
        _check_interval(self.interval, self.expression)

    @property
    def ticks(self) -> CronTicks:
        """The instants at which runs are due."""
        return CronTicks(self.expression, ZoneInfo(self.timezone))

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "cron_trigger",
            "expression": self.expression,
            "timezone": self.timezone,
            "interval_seconds": self.interval.total_seconds(),
            **_told_immediately(self.run_immediately),
        }


@dataclass(frozen=True, slots=True)
class CronPartitionTimetable:
    """A run at each tick of a cron expression, about the partition `run_offset` ticks later (or before, if negative).

    Raises InvalidSchedule for an expression that can never fire or an unknown time zone.
    """

    expression: str
    timezone: str
    run_offset: int = 0
    key_format: str = "%Y-%m-%dT%H:%M:%S"
    run_immediately: RunImmediately = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", check_cron(self.expression))
        known_zone(self.timezone, self.expression)

    @property
    def ticks(self) -> CronTicks:
        """The instants at which runs are due."""
        return CronTicks(self.expression, ZoneInfo(self.timezone))

    def partition_at(self, tick: datetime) -> tuple[datetime, str]:
        """Return the partition that the run at this tick is about: its moment in UTC, and its key in local time."""
        date = utc(tick)
        for _ in range(abs(self.run_offset)):
            date = self.ticks.next_after(date) if self.run_offset > 0 else self.ticks.previous_before(date)
        return date, date.astimezone(ZoneInfo(self.timezone)).strftime(self.key_format)

    def date_of(self, key: str) -> datetime:
        """Return the moment of a key, in UTC; raise ValueError for one that is not in `key_format`."""
        return datetime.strptime(key, self.key_format).replace(tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "cron_partition",
            "expression": self.expression,
            "timezone": self.timezone,
            "run_offset": self.run_offset,
            "key_format": self.key_format,
            **_told_immediately(self.run_immediately),
        }


@dataclass(frozen=True, slots=True)
class RuntimePartitionTimetable:
    """Never, as `NullTimetable`; whoever triggers a run may say which partition it is about."""

    def to_json(self) -> dict[str, Any]:
        return {"kind": "runtime_partition"}


@dataclass(frozen=True, slots=True)
class DeltaDataIntervalTimetable:
    """A run at the end of each interval of length `delta`, counted from the start date.

    Raises InvalidSchedule where `delta` is not positive.
    """

    delta: timedelta

    def __post_init__(self) -> None:
        _check_delta(self.delta)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "delta_data_interval", "delta_seconds": self.delta.total_seconds()}


@dataclass(frozen=True, slots=True)
class DeltaTriggerTimetable:
    """A run every `delta` from the start date on, about the `interval` before it (Airflow 3's default).

    Raises InvalidSchedule where `delta` is not positive or `interval` is negative.
    """

    delta: timedelta
    interval: timedelta = _NO_TIME

    def __post_init__(self) -> None:
        _check_delta(self.delta)
        _check_interval(self.interval, str(self.delta))

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "delta_trigger",
            "delta_seconds": self.delta.total_seconds(),
            "interval_seconds": self.interval.total_seconds(),
        }


@dataclass(frozen=True, slots=True)
class MultipleCronTriggerTimetable:
    """A run at each tick of any of several cron expressions, about the `interval` before the tick.

    Raises InvalidSchedule where there is no expression, and as `CronTriggerTimetable` does.
    """

    expressions: tuple[str, ...]
    timezone: str
    interval: timedelta = _NO_TIME
    run_immediately: RunImmediately = False

    def __post_init__(self) -> None:
        if not self.expressions:
            raise InvalidSchedule("MultipleCronTriggerTimetable: no cron expression is given; give it one or more")
        object.__setattr__(self, "expressions", tuple(check_cron(one) for one in self.expressions))
        known_zone(self.timezone, ", ".join(self.expressions))
        _check_interval(self.interval, ", ".join(self.expressions))

    @property
    def ticks(self) -> MergedTicks:
        """The instants at which runs are due."""
        zone = ZoneInfo(self.timezone)
        return MergedTicks(tuple(CronTicks(one, zone) for one in self.expressions))

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "multiple_cron_trigger",
            "expressions": list(self.expressions),
            "timezone": self.timezone,
            "interval_seconds": self.interval.total_seconds(),
            **_told_immediately(self.run_immediately),
        }


@dataclass(frozen=True, slots=True)
class EventsTimetable:
    """A run at each of these moments. With `restrict_to_events` a manual run is about the latest of them.

    Raises InvalidSchedule where there is none, ValueError for a naive one.
    """

    events: tuple[datetime, ...]
    restrict_to_events: bool = False
    description: str | None = None

    def __post_init__(self) -> None:
        if not self.events:
            raise InvalidSchedule("EventsTimetable: event_dates is empty; name one moment or more")
        object.__setattr__(self, "events", tuple(sorted({utc(one) for one in self.events})))

    @property
    def ticks(self) -> EventTicks:
        """The instants at which runs are due."""
        return EventTicks(self.events)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "events",
            "events": [one.isoformat() for one in self.events],
            "restrict_to_events": self.restrict_to_events,
            "description": self.description,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomTimetable:
    """A schedule of an author's own: code, which only a child process may run. So nothing here knows its next run.

    `name` is its class, `details` what tells it from another of that class; at most `active_runs_limit` of its runs are
    active at a time. One that `is_periodic` gives runs again and again by the clock.
    """

    name: str
    summary: str
    description: str
    details: Mapping[str, Any] = field(default_factory=dict)
    active_runs_limit: int | None = None
    is_periodic: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "custom",
            "name": self.name,
            "summary": self.summary,
            "description": self.description,
            "details": dict(self.details),
            "active_runs_limit": self.active_runs_limit,
            "is_periodic": self.is_periodic,
        }


TimetableSpec = (
    NullTimetable
    | OnceTimetable
    | ContinuousTimetable
    | CronDataIntervalTimetable
    | CronTriggerTimetable
    | CronPartitionTimetable
    | RuntimePartitionTimetable
    | DeltaDataIntervalTimetable
    | DeltaTriggerTimetable
    | MultipleCronTriggerTimetable
    | EventsTimetable
    | CustomTimetable
)


def timetable_from_json(data: Mapping[str, Any]) -> TimetableSpec:
    """Return the spec whose `to_json` gave `data`; raise InvalidSchedule for a kind or value that is none of ours."""
    match data:
        case {"kind": "none"}:
            return NullTimetable()
        case {"kind": "once"}:
            return OnceTimetable()
        case {"kind": "continuous"}:
            return ContinuousTimetable()
        case {"kind": "cron_data_interval", "expression": str(expression), "timezone": str(zone)}:
            return CronDataIntervalTimetable(expression, zone)
        case {
            "kind": "cron_trigger",
            "expression": str(expression),
            "timezone": str(zone),
            "interval_seconds": int() | float() as interval,
        }:
            return CronTriggerTimetable(expression, zone, timedelta(seconds=interval), _immediately_in(data))
        case {"kind": "delta_data_interval", "delta_seconds": int() | float() as delta}:
            return DeltaDataIntervalTimetable(timedelta(seconds=delta))
        case {
            "kind": "delta_trigger",
            "delta_seconds": int() | float() as delta,
            "interval_seconds": int() | float() as interval,
        }:
            return DeltaTriggerTimetable(timedelta(seconds=delta), timedelta(seconds=interval))
        case {
            "kind": "multiple_cron_trigger",
            "expressions": list(several),
            "timezone": str(zone),
            "interval_seconds": int() | float() as interval,
        }:
            span = timedelta(seconds=interval)
            return MultipleCronTriggerTimetable(tuple(several), zone, span, _immediately_in(data))
        case {
            "kind": "events",
            "events": list(events),
            "restrict_to_events": bool(is_restricted),
            "description": str() | None as description,
        }:
            moments = tuple(datetime.fromisoformat(one) for one in events)
            return EventsTimetable(moments, is_restricted, description)
    return _partition_from_json(data) or _custom_from_json(data)


def _partition_from_json(data: Mapping[str, Any]) -> TimetableSpec | None:
    match data:
        case {"kind": "runtime_partition"}:
            return RuntimePartitionTimetable()
        case {
            "kind": "cron_partition",
            "expression": str(expression),
            "timezone": str(zone),
            "run_offset": int(run_offset),
            "key_format": str(key_format),
        }:
            return CronPartitionTimetable(expression, zone, run_offset, key_format, _immediately_in(data))
    return None


def _custom_from_json(data: Mapping[str, Any]) -> CustomTimetable:
    match data:
        case {
            "kind": "custom",
            "name": str(name),
            "summary": str(short),
            "description": str(told),
            "details": dict(details),
            "active_runs_limit": int() | None as limit,
            "is_periodic": bool(is_periodic),
        }:
            return CustomTimetable(
                name=name,
                summary=short,
                description=told,
                details=details,
                active_runs_limit=limit,
                is_periodic=is_periodic,
            )
    raise InvalidSchedule(f"timetable {dict(data)!r} is of no known kind or lacks a value; store what to_json() gave")


def known_zone(timezone: str, schedule: str) -> ZoneInfo:
    """Return the zone called `timezone`; raise InvalidSchedule, naming `schedule`, where there is none."""
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        # Besides ZoneInfoNotFoundError (a KeyError): a path outside the zone folder, or a folder such as "America".
        raise InvalidSchedule(
            f"schedule {schedule!r}: unknown time zone {timezone!r}; give an IANA name such as 'Europe/Zurich' or 'UTC'"
        ) from error


def _told_immediately(wanted: RunImmediately) -> dict[str, Any]:
    if wanted is False:
        return {}
    return {"run_immediately": wanted.total_seconds() if isinstance(wanted, timedelta) else wanted}


def _immediately_in(data: Mapping[str, Any]) -> RunImmediately:
    match data.get("run_immediately", False):
        case bool() | None as wanted:
            return wanted
        case int() | float() as seconds:
            return timedelta(seconds=seconds)
        case other:
            raise InvalidSchedule(f"run_immediately is {other!r}, wanted true, false, null or seconds")


def _check_delta(delta: timedelta) -> None:
    if delta <= _NO_TIME:
        raise InvalidSchedule(
            f"schedule {delta!r}: the time between two runs must be positive, such as timedelta(hours=1)"
        )


def _check_interval(interval: timedelta, schedule: str) -> None:
    if interval < _NO_TIME:
        raise InvalidSchedule(
            f"schedule {schedule!r}: its data interval {interval!r} is negative; give one such as timedelta(days=1)"
        )
