"""Moments: pendulum where it is installed, and the same answers where it is not."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.sdk.moments import Moment, moment, moment_or_none, zone_name

moments = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def test_context_dates_are_pendulums() -> None:
    assert isinstance(moment(datetime(2026, 1, 31)), pendulum.DateTime)
    assert moment_or_none(None) is None


@given(moments, st.integers(-30, 30), st.integers(-400, 400))
def test_a_moment_answers_as_pendulum_does(at: datetime, months: int, days: int) -> None:
    ours, theirs = Moment.of(at), pendulum.instance(at)

    assert ours.add(months=months, days=days) == theirs.add(months=months, days=days)
    assert ours.subtract(years=1, hours=days) == theirs.subtract(years=1, hours=days)
    for unit in ("hour", "day", "month", "year"):
        assert ours.start_of(unit) == theirs.start_of(unit)
    assert ours.int_timestamp == theirs.int_timestamp
    assert ours.in_timezone("Asia/Tokyo").isoformat() == theirs.in_timezone("Asia/Tokyo").isoformat()
    assert ours.to_date_string() == theirs.to_date_string()
    assert ours.to_datetime_string() == theirs.to_datetime_string()
    pattern = "YYYY/MM/DD HH:mm:ss"
    assert ours.format(pattern) == theirs.format(pattern)


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="start_of\\('week'\\)"):
        Moment.of(datetime(2026, 1, 1)).start_of("week")


def test_zones_have_names_where_they_have_one() -> None:
    zones = [UTC, ZoneInfo("Asia/Tokyo"), pendulum.timezone("Asia/Tokyo"), timezone(timedelta(hours=2))]

    assert [zone_name(zone) for zone in zones] == ["UTC", "Asia/Tokyo", "Asia/Tokyo", None]
