"""Timetable: a schedule of the author's own, asked for its next run in a child process of the scheduler."""

from datetime import datetime
from typing import Any, NamedTuple, Self

from flowd.domain.errors import InvalidDag
from flowd.domain.timetable import CustomTimetable
from flowd.sdk.plain_json import plain_json


class DataInterval(NamedTuple):
    """From when to when the data of a run are."""

    start: datetime
    end: datetime

    @classmethod
    def exact(cls, at: datetime) -> Self:
        """Return the interval of one moment."""
        return cls(at, at)


class TimeRestriction(NamedTuple):
    """Between which moments runs may lie, and whether those missed before now are wanted."""

    earliest: datetime | None
    latest: datetime | None
    catchup: bool


class DagRunInfo(NamedTuple):
    """A run that a timetable wants: about `data_interval`, not before `run_after`."""

    run_after: datetime
    data_interval: DataInterval

    @classmethod
    def exact(cls, at: datetime) -> Self:
        """Return the run about a moment, due then."""
        return cls(at, DataInterval.exact(at))

    @classmethod
    def interval(cls, start: datetime, end: datetime) -> Self:
        """Return the run about an interval, due when it is over."""
        return cls(end, DataInterval(start, end))

    @property
    def logical_date(self) -> datetime:
        """The start of the interval, by which a run is known."""
        return self.data_interval.start


class Timetable:
    """Subclasses define `next_dagrun_info`, given as `schedule=` or `timetable=` of a DAG."""

    description: str = ""
    periodic: bool = True
    can_be_scheduled: bool = True
    run_ordering: Any = ("data_interval_end", "logical_date")
    active_runs_limit: int | None = None
    asset_condition: Any = None

    @property
    def summary(self) -> str:
        """What lists of DAGs show."""
        return type(self).__name__

    def infer_manual_data_interval(self, *, run_after: datetime) -> DataInterval:
        """Return the interval of a run that somebody triggers."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the run that follows the one about this interval (None before the first), or None for no more."""
        raise NotImplementedError(f"{type(self).__name__} must define next_dagrun_info(self, *, …)")

    def serialize(self) -> dict[str, Any]:
        """Return what tells this timetable from another of its class, as JSON."""
        return {}

    def validate(self) -> None:
        """Raise an error where the timetable makes no sense; it is called when the file is parsed."""


def spec_of(timetable: Timetable, where: str) -> CustomTimetable:
    """Return what the scheduler knows of a timetable; raise InvalidDag, naming `where`, for one that refuses itself."""
    try:
        timetable.validate()
    except Exception as error:
        raise InvalidDag(f"{where}: {type(timetable).__name__} refuses itself: {error}") from error
    return CustomTimetable(
        name=f"{type(timetable).__module__}.{type(timetable).__qualname__}",
        summary=str(timetable.summary),
        description=str(timetable.description or timetable.summary),
        details=plain_json(timetable.serialize()),
        active_runs_limit=timetable.active_runs_limit,
        is_periodic=bool(timetable.periodic),
    )
