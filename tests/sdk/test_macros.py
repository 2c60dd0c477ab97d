"""Macros of templates."""

from datetime import UTC, datetime, timedelta

import pytest

from flowd.sdk import macros

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(seconds=-1), "1 second before"),
        (timedelta(minutes=-90), "1 hour before"),
        (timedelta(days=3), "3 days after"),
        (timedelta(days=800), "2 years after"),
        (timedelta(0), "0 seconds after"),
    ],
)
def test_a_distance_is_told_in_words(away: timedelta, words: str) -> None:
    assert macros.datetime_diff_for_humans(NOW + away, NOW) == words


def test_a_distance_from_now_says_so() -> None:
    assert macros.datetime_diff_for_humans(datetime.now(UTC) - timedelta(hours=5)) == "5 hours ago"


def test_dates_are_moved_and_written_anew() -> None:
    assert macros.ds_add("2026-02-28", 1) == "2026-03-01"
    assert macros.ds_format("28/02/2026", "%d/%m/%Y", "%Y-%m-%d") == "2026-02-28"


def test_a_macro_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"there is no macro 'ds_ad'; there are .*ds_add"):
        macros.ds_ad  # noqa: B018
