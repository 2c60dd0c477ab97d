"""WeekDay: the days of the week by name, as DAG files give them to operators and sensors."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.sdk.keywords import nearest


class WeekDay(IntEnum):
    """A day of the week; the numbers are those of ISO 8601."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7

    @classmethod
    def get_weekday_number(cls, week_day_str: str) -> int:
        """Return the number of the day of this name, whatever its case; raise InvalidDag for no such day."""
        name = str(week_day_str).upper()
        if name not in cls.__members__:
            raise InvalidDag(f"week_day {week_day_str!r} is no day of the week{nearest(name, cls.__members__)}")
        return cls[name].value

    @classmethod
    def validate_week_day(cls, week_day: Any) -> set[int]:
        """Return the numbers of one day or several, given as names or members; raise InvalidDag for anything else."""
        days = [week_day] if isinstance(week_day, (str, WeekDay)) else week_day
        if not isinstance(days, Iterable) or isinstance(days, bytes):
            raise InvalidDag(f"week_day is {week_day!r}; wanted a day such as 'Monday' or WeekDay.MONDAY, or several")
        return {day.value if isinstance(day, WeekDay) else cls.get_weekday_number(day) for day in days}
