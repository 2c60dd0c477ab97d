"""Turning what authors pass into the one type the rest works with, or saying what was wanted."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from flowd.domain.errors import InvalidDag


def as_timedelta(value: Any, what: str) -> timedelta:
    """Return a timedelta; a number is taken as seconds."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return timedelta(seconds=value)
    raise InvalidDag(f"{what} is {value!r}, wanted a timedelta such as timedelta(minutes=5)")


def as_whole_number(value: Any, what: str) -> int:
    """Return an int; text that holds one is taken too, for it comes from configuration."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise InvalidDag(f"{what} is {value!r}, wanted a whole number") from None
    if isinstance(value, float) and value != number:
        raise InvalidDag(f"{what} is {value!r}, wanted a whole number")
    return number


def as_aware(value: Any, zone: tzinfo | None, what: str) -> datetime | None:
    """Return a datetime that has a time zone: its own, or `zone`, or UTC; ISO 8601 text is read, None stays None."""
    if value is None:
        return None
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise InvalidDag(f"{what} is {value!r}, wanted a datetime such as datetime(2026, 1, 31)")
    return value if value.tzinfo else value.replace(tzinfo=zone or UTC)
