"""`airflow.utils.timezone`."""

import datetime as _datetime
from typing import Any

from flowd.sdk.moments import moment

utc = _datetime.UTC


def utcnow() -> _datetime.datetime:
    """Return the present moment in UTC."""
    return moment(_datetime.datetime.now(utc))


def datetime(*args: Any, **kwargs: Any) -> _datetime.datetime:
    """Return an aware datetime, in UTC unless `tzinfo` says otherwise."""
    return moment(make_aware(_datetime.datetime(*args, **kwargs)))


def make_aware(value: _datetime.datetime, timezone: _datetime.tzinfo | None = None) -> _datetime.datetime:
    """Return the naive `value` as a moment of that time zone, UTC without one; an aware value stays as it is."""
    return value if value.tzinfo else value.replace(tzinfo=timezone or utc)


def parse(text: str, timezone: _datetime.tzinfo | None = None) -> _datetime.datetime:
    """Return the moment written as ISO 8601."""
    return moment(make_aware(_datetime.datetime.fromisoformat(text), timezone))


def convert_to_utc(value: _datetime.datetime) -> _datetime.datetime:
    """Return the same moment in UTC; a naive one is taken as UTC."""
    return moment(make_aware(value).astimezone(utc))


def coerce_datetime(value: _datetime.datetime | None) -> _datetime.datetime | None:
    """Return `value` as an aware moment; None stays None."""
    return None if value is None else moment(make_aware(value))
