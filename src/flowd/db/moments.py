"""Moments in the metastore: aware UTC datetimes outside, microseconds since 1970 inside."""

import time
from datetime import UTC, datetime, timedelta
from typing import overload

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def to_db(moment: datetime) -> int: ...
@overload
def to_db(moment: None) -> None: ...
@overload
def to_db(moment: datetime | None) -> int | None: ...
def to_db(moment: datetime | None) -> int | None:
    """Return the moment as whole microseconds since 1970 UTC; raise TypeError for a naive datetime."""
    return None if moment is None else (moment - EPOCH) // _MICROSECOND


@overload
def from_db(microseconds: int) -> datetime: ...
@overload
def from_db(microseconds: None) -> None: ...
@overload
def from_db(microseconds: int | None) -> datetime | None: ...
def from_db(microseconds: int | None) -> datetime | None:
    """Return the moment that `to_db` wrote, in UTC."""
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)


def microseconds_now() -> int:
    """Return this machine's clock as the metastore would hold it."""
    return time.time_ns() // 1000
