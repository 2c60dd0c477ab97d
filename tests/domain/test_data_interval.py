"""Data intervals are in UTC, in order, and never naive."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flowd.domain.data_interval import DataInterval, NextRun

NOON = datetime(2024, 7, 1, 12, tzinfo=UTC)


def test_an_interval_is_kept_in_utc() -> None:
    interval = DataInterval.at(datetime(2024, 7, 1, 14, tzinfo=ZoneInfo("Europe/Zurich")))

    assert interval == DataInterval(NOON, NOON)
    assert interval.start.tzinfo is UTC


def test_an_interval_cannot_end_before_its_start() -> None:
    with pytest.raises(ValueError, match=r"ends at 2024-07-01T11:00:00\+00:00, before its start 2024-07-01T12:00"):
        DataInterval(NOON, NOON - timedelta(hours=1))


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="2024-07-01T12:00:00 has no time zone: pass an aware datetime"):
        DataInterval.at(datetime(2024, 7, 1, 12))


def test_a_run_is_due_when_its_interval_is_complete_and_is_known_by_its_start() -> None:
    run = NextRun.over(DataInterval.ending(NOON, timedelta(hours=1)))

    assert (run.logical_date, run.run_after) == (NOON - timedelta(hours=1), NOON)
