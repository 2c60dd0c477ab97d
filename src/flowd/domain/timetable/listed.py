"""Ticks that are listed: the instants of several cron expressions together, and instants that are named one by one."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime

from flowd.domain.timetable.cron import CronTicks

_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MergedTicks:
    """The ticks of each of `parts`, an instant that several have counted once.

    Raises OverflowError where the answer lies outside the years 1 to 9999.
    """

    parts: tuple[CronTicks, ...]

    def next_after(self, moment: datetime) -> datetime:
        """Return the first tick later than `moment`."""
        return min(part.next_after(moment) for part in self.parts)

    def align_next(self, moment: datetime) -> datetime:
        """Return `moment` where it is a tick, else the first tick after it."""
        return min(part.align_next(moment) for part in self.parts)

    def align_previous(self, moment: datetime) -> datetime:
        """Return `moment` where it is a tick, else the last tick before it."""
        return max(part.align_previous(moment) for part in self.parts)


@dataclass(frozen=True, slots=True)
class EventTicks:
    """Ticks at these instants, which are in UTC and ascending.

    Raises OverflowError where no tick is left.
    """

    instants: tuple[datetime, ...]

    def next_after(self, moment: datetime) -> datetime:
        """Return the first tick later than `moment`."""
        return self._at(bisect_right(self.instants, moment))

    def align_next(self, moment: datetime) -> datetime:
        """Return `moment` where it is a tick, else the first tick after it."""
        return self._at(bisect_left(self.instants, moment))

    def align_previous(self, moment: datetime) -> datetime:
        """Return `moment` where it is a tick, else the last tick before it; the beginning of time where none is."""
        place = bisect_right(self.instants, moment)
        return self.instants[place - 1] if place else _BEGINNING

    def _at(self, place: int) -> datetime:
        if place == len(self.instants):
            raise OverflowError("no event is left")
        return self.instants[place]
