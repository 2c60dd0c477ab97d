"""The stretch of time a run is about, and the run a timetable proposes for it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


def utc(moment: datetime) -> datetime:
    """Return `moment` in UTC; raise ValueError for a naive one, whose instant nobody can know."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: pass an aware datetime")
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class DataInterval:
    """From `start` (inclusive) to `end` (exclusive), both aware and in UTC; `start` equals `end` for a point in time.

    Raises ValueError where an end lies before its start or a moment is naive.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc(self.start))
        object.__setattr__(self, "end", utc(self.end))
        if self.end < self.start:
            raise ValueError(f"data interval ends at {self.end.isoformat()}, before its start {self.start.isoformat()}")

    @classmethod
    def at(cls, moment: datetime) -> "DataInterval":
        """Return the empty interval at `moment`."""
        return cls(moment, moment)

    @classmethod
    def ending(cls, end: datetime, length: timedelta) -> "DataInterval":
        """Return the interval of `length` that ends at `end`."""
        return cls(utc(end) - length, end)


@dataclass(frozen=True, slots=True)
class NextRun:
    """A run a timetable wants: about `data_interval`, to be created at `run_after` and not before (UTC)."""

    data_interval: DataInterval
    run_after: datetime

    @classmethod
    def over(cls, interval: DataInterval) -> "NextRun":
        """Return the run about `interval`, due when the interval is complete."""
        return cls(interval, interval.end)

    @property
    def logical_date(self) -> datetime:
        """The run's name in time: the start of its data interval, as in Airflow."""
        return self.data_interval.start
