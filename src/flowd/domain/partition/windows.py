"""Windows: the members of a period of time, or a fixed set of segments."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from flowd.domain.errors import InvalidDag


class Unit(StrEnum):
    """A period of the calendar; a week begins on Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class PeriodWindow:
    """The minutes of an hour, the hours of a day, the days of a week or month, the months of a quarter or year.

    It begins at its anchor; with `is_backward` the anchor is its last member.
    """

    unit: Unit
    is_backward: bool = False


@dataclass(frozen=True, slots=True)
class SegmentWindow:
    """These keys, whatever the anchor. Raises InvalidDag where there is none, or one is no text or blank."""

    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        for key in self.keys:
            if not isinstance(key, str) or not key:
                raise InvalidDag(f"SegmentWindow: {key!r} is no key, wanted texts that are not empty")
        if not self.keys:
            raise InvalidDag("SegmentWindow: there is no key; give it one or more")
        object.__setattr__(self, "keys", tuple(sorted(set(self.keys))))


Window = PeriodWindow | SegmentWindow

_STEPS = {Unit.HOUR: (60, timedelta(minutes=1)), Unit.DAY: (24, timedelta(hours=1)), Unit.WEEK: (7, timedelta(days=1))}
_MONTHS = {Unit.QUARTER: 3, Unit.YEAR: 12}


def members(window: PeriodWindow, anchor: datetime) -> list[datetime]:
    """Return the members, the earliest first; of a period that months make up, the anchor must be the first of one.

    Raises ValueError for another anchor, OverflowError beyond the calendar.
    """
    if window.unit in _STEPS:
        count, step = _STEPS[window.unit]
        first = anchor - (count - 1) * step if window.is_backward else anchor
        return [first + number * step for number in range(count)]
    if anchor.day != 1:
        raise ValueError(
            f"the {window.unit} of {anchor.isoformat()} does not begin there: it is not the first of a month"
        )
    if window.unit is Unit.MONTH:
        # Backwards it ends with the anchor: from the day after the month before began.
        first = _months_on(anchor, -1) + timedelta(days=1) if window.is_backward else anchor
        end = anchor + timedelta(days=1) if window.is_backward else _months_on(anchor, 1)
        return [first + timedelta(days=number) for number in range((end - first).days)]
    count = _MONTHS[window.unit]
    first = _months_on(anchor, 1 - count) if window.is_backward else anchor
    return [_months_on(first, number) for number in range(count)]


def start_of(unit: Unit, moment: datetime) -> datetime:
    """Return where the period begins that the moment is in, by the moment's own clock."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    match unit:
        case Unit.HOUR:
            return hour
        case Unit.DAY:
            return day
        case Unit.WEEK:
            return day - timedelta(days=day.weekday())
        case Unit.MONTH:
            return day.replace(day=1)
        case Unit.QUARTER:
            return day.replace(day=1, month=day.month - (day.month - 1) % 3)
        case Unit.YEAR:
            return day.replace(day=1, month=1)


def _months_on(first: datetime, months: int) -> datetime:
    years, month = divmod(first.month - 1 + months, 12)
    return first.replace(year=first.year + years, month=month + 1)
