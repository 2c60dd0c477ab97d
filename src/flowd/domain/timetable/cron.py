"""The instants a cron expression fires at in a time zone, through gaps and folds of its clock.

cronsim matches wall-clock times; this module turns them into instants. A clock that is put forward leaves a gap of
wall-clock times that never happen, one that is put back repeats a fold of them. As in Airflow the hour field decides:

* an expression that fires in every hour follows real time: `*/15 * * * *` fires every 15 minutes through a fold,
  in both its passes, and has nothing to make up for a gap;
* any other names times of day: one inside a gap fires at the first instant after it, one inside a fold fires once,
  in the first pass.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from flowd.domain.errors import InvalidSchedule

EXAMPLE = "'0 6 * * 1-5' (06:00 from Monday to Friday)"

_SECOND = timedelta(seconds=1)
_RESOLUTION = datetime.resolution
_ANY_DAY = datetime(2000, 1, 1)
_HOURS_IN_A_DAY = 24


def check_cron(expression: str) -> str:
    """Return `expression` with single spaces between its fields; raise InvalidSchedule where it can never fire."""
    try:
        next(_matcher(expression, _ANY_DAY))
    except CronSimError as error:
        raise InvalidSchedule(
            f"schedule {expression!r}: {str(error).lower()}; a cron expression has five fields, minute hour "
            f"day-of-month month day-of-week, and may have seconds as the sixth, such as {EXAMPLE}"
        ) from error
    except StopIteration:
        raise InvalidSchedule(
            f"schedule {expression!r}: no day matches it within 50 years; name days that exist, such as {EXAMPLE}"
        ) from None
    return " ".join(expression.split())


def explain_cron(expression: str) -> str:
    """Say in English when a valid `expression` fires."""
    return _matcher(expression, _ANY_DAY).explain()


@dataclass(frozen=True, slots=True)
class CronTicks:
    """The ticks of a valid cron expression in `zone`; all instants taken and given are aware, those given are UTC.

    Raises OverflowError where the answer lies outside the years 1 to 9999.
    """

    expression: str
    zone: ZoneInfo

    def next_after(self, moment: datetime) -> datetime:
        """Return the first tick later than `moment`."""
        found = self._search_forward(self._wall(moment), moment)
        fold = self._fold_around(moment)
        if fold is not None and moment < fold.turn:
            # The second pass repeats wall-clock times that are already behind the hands of the clock.
            found = min(found, self._search_forward(fold.first_wall - _SECOND, fold.turn - _RESOLUTION))
        return found

    def previous_before(self, moment: datetime) -> datetime:
        """Return the last tick earlier than `moment`."""
        found = self._search_backward(self._wall(moment), moment)
        fold = self._fold_around(moment)
        if fold is not None and moment >= fold.turn:
            # The first pass showed wall-clock times that are still ahead of the hands of the clock.
            found = max(found, self._search_backward(fold.end_wall, fold.turn))
        return found

    def align_next(self, moment: datetime) -> datetime:
        """Return `moment` where it is a tick, else the first tick after it."""
        return self.next_after(moment - _RESOLUTION)

    def align_previous(self, moment: datetime) -> datetime:
        """Return `moment` where it is a tick, else the last tick before it."""
        return self.previous_before(moment + _RESOLUTION)

    def latest_complete(self, now: datetime) -> datetime:
        """Return the start of the latest interval between two ticks that is complete at `now`."""
        return self.previous_before(self.align_previous(now))

    def _search_forward(self, wall: datetime, after: datetime) -> datetime:
        matcher = _matcher(self.expression, wall)
        follows_real_time = _fires_every_hour(matcher)
        return next(
            instant for match in matcher for instant in self._instants(match, follows_real_time) if instant > after
        )

    def _search_backward(self, wall: datetime, before: datetime) -> datetime:
        matcher = _matcher(self.expression, wall, reverse=True)
        follows_real_time = _fires_every_hour(matcher)
        return next(
            instant
            for match in matcher
            for instant in reversed(self._instants(match, follows_real_time))
            if instant < before
        )

    def _instants(self, wall: datetime, follows_real_time: bool) -> tuple[datetime, ...]:
        first, second = self._readings(wall)
        if first == second:
            return (first,)
        if first < second:
            return (first, second) if follows_real_time else (first,)
        return () if follows_real_time else (self._offset_change(second, first),)

    def _readings(self, wall: datetime) -> tuple[datetime, datetime]:
        """Both readings of a wall-clock time: equal, ascending in a fold, descending in a gap (PEP 495)."""
        local = wall.replace(tzinfo=self.zone)
        return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)

    def _wall(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _fold_around(self, moment: datetime) -> "_Fold | None":
        first, second = self._readings(self._wall(moment).replace(microsecond=0))
        if first >= second:
            return None
        turn = self._offset_change(first, second)
        first_wall = self._wall(turn)
        return _Fold(turn, first_wall, first_wall + (second - first))

    def _offset_change(self, low: datetime, high: datetime) -> datetime:
        """Return the first second later than `low` that has the UTC offset of `high`."""
        offset = high.astimezone(self.zone).utcoffset()
        before, after = 0, int((high - low).total_seconds())
        while after - before > 1:
            middle = (before + after) // 2
            if (low + middle * _SECOND).astimezone(self.zone).utcoffset() == offset:
                after = middle
            else:
                before = middle
        return low + after * _SECOND


class _Fold(NamedTuple):
    """Wall-clock times from `first_wall` up to `end_wall` happen twice, the second time from the instant `turn` on."""

    turn: datetime
    first_wall: datetime
    end_wall: datetime


def _matcher(expression: str, wall: datetime, *, reverse: bool = False) -> CronSim:
    fields = expression.split()
    if len(fields) == 6:
        # Airflow writes the seconds last, cronsim reads them first.
        fields = [fields[5], *fields[:5]]
    return CronSim(" ".join(fields), wall, reverse)


def _fires_every_hour(matcher: CronSim) -> bool:
    return len(matcher.hours) == _HOURS_IN_A_DAY
