"""Datetimes as DAG authors know them: pendulum's where it is installed, else a datetime with its commonest methods."""

import calendar
import functools
import importlib
import re
from datetime import UTC, datetime, timedelta, tzinfo
from types import ModuleType
from typing import Any, Self
from zoneinfo import ZoneInfo

_TOKENS = {
    "YYYY": "%Y", "YY": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "DDDD": "%j", "DD": "%d", "dddd": "%A",
    "ddd": "%a", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S", "SSSSSS": "%f", "A": "%p", "zz": "%Z", "ZZ": "%z",
}  # fmt: skip
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))


class Moment(datetime):
    """A datetime that also answers the pendulum methods most used in DAG files; always aware."""

    @classmethod
    def of(cls, value: datetime) -> Self:
        """Return `value` as a Moment; a naive one is taken as UTC."""
        zone = value.tzinfo or UTC
        return cls(
            value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond, zone,
            fold=value.fold,
        )  # fmt: skip

    @property
    def int_timestamp(self) -> int:
        """Whole seconds since 1970 in UTC."""
        return int(self.timestamp())

    @property
    def float_timestamp(self) -> float:
        """Seconds since 1970 in UTC."""
        return self.timestamp()

    def add(self, *, years: int = 0, months: int = 0, **delta: float) -> Self:
        """Return the moment later by so much on the wall clock; a day a month lacks becomes its last."""
        month = self.month - 1 + months + 12 * years
        year, month = self.year + month // 12, month % 12 + 1
        day = min(self.day, calendar.monthrange(year, month)[1])
        return self.of(self.replace(year=year, month=month, day=day) + timedelta(**delta))

    def subtract(self, *, years: int = 0, months: int = 0, **delta: float) -> Self:
        """Return the moment earlier by so much; as `add`."""
        return self.add(years=-years, months=-months, **{unit: -amount for unit, amount in delta.items()})

    def in_timezone(self, zone: str | tzinfo) -> Self:
        """Return the same instant in another time zone."""
        return self.of(self.astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone))

    in_tz = in_timezone

    def start_of(self, unit: str) -> Self:
        """Return the first moment of this second, minute, hour, day, month or year."""
        units = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        if unit not in units[:-1]:
            raise ValueError(f"start_of({unit!r}): wanted one of {', '.join(units[:-1])}")
        lower: dict[str, Any] = {name: int(name in ("month", "day")) for name in units[units.index(unit) + 1 :]}
        return self.replace(**lower)

    def to_date_string(self) -> str:
        """Return e.g. 2026-01-31."""
        return self.strftime("%Y-%m-%d")

    def to_time_string(self) -> str:
        """Return e.g. 23:59:59."""
        return self.strftime("%H:%M:%S")

    def to_datetime_string(self) -> str:
        """Return e.g. 2026-01-31 23:59:59."""
        return self.strftime("%Y-%m-%d %H:%M:%S")

    def to_iso8601_string(self) -> str:
        """Return e.g. 2026-01-31T23:59:59+00:00."""
        return self.isoformat()

    def format(self, pattern: str) -> str:
        """Return the moment in pendulum's tokens: YYYY, MM, DD, HH, mm, ss and their kin."""
        return self.strftime(_TOKEN.sub(lambda token: _TOKENS[token.group()], pattern))


@functools.cache
def pendulum() -> ModuleType | None:
    """Return the pendulum library, None where it is not installed; imported on the first call, for it is not small."""
    try:
        return importlib.import_module("pendulum")
    except ImportError:
        return None


def moment(value: datetime) -> datetime:
    """Return the instant as authors expect it: a pendulum.DateTime, or a Moment without pendulum."""
    library = pendulum()
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return Moment.of(aware) if library is None else library.instance(aware)


def moment_or_none(value: datetime | None) -> datetime | None:
    """Return `moment(value)`, None for None."""
    return None if value is None else moment(value)


def plain_utc(value: datetime | None) -> datetime | None:
    """Return the moment as a datetime of the standard library in UTC, whatever subclass an author's library made."""
    if value is None:
        return None
    at = value.astimezone(UTC)
    return datetime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, UTC)


def zone_name(zone: tzinfo | None) -> str | None:
    """Return the IANA name of a zone of zoneinfo, pendulum, pytz or the standard library; None where it has none."""
    if zone is None or zone is UTC:
        return "UTC"
    for attribute in ("key", "name", "zone"):
        name = getattr(zone, attribute, None)
        if isinstance(name, str) and name:
            return name
    return "UTC" if str(zone) in ("UTC", "tzutc()") else None
