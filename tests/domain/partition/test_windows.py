"""Windows: their members, forwards and backwards."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.partition.windows import PeriodWindow, Unit, members, start_of


@pytest.mark.parametrize(
    ("unit", "is_backward", "anchor", "first", "last", "count"),
    [
        (Unit.HOUR, False, datetime(2024, 3, 1, 5), datetime(2024, 3, 1, 5), datetime(2024, 3, 1, 5, 59), 60),
        (Unit.DAY, True, datetime(2024, 3, 1), datetime(2024, 2, 29, 1), datetime(2024, 3, 1), 24),
        (Unit.WEEK, True, datetime(2024, 3, 4), datetime(2024, 2, 27), datetime(2024, 3, 4), 7),
        (Unit.MONTH, False, datetime(2024, 2, 1), datetime(2024, 2, 1), datetime(2024, 2, 29), 29),
        (Unit.MONTH, True, datetime(2024, 3, 1), datetime(2024, 2, 2), datetime(2024, 3, 1), 29),
        (Unit.QUARTER, False, datetime(2024, 10, 1), datetime(2024, 10, 1), datetime(2024, 12, 1), 3),
        (Unit.QUARTER, True, datetime(2024, 1, 1), datetime(2023, 11, 1), datetime(2024, 1, 1), 3),
        (Unit.YEAR, False, datetime(2024, 1, 1), datetime(2024, 1, 1), datetime(2024, 12, 1), 12),
    ],
)
def test_a_window_has_these_members(
    unit: Unit, is_backward: bool, anchor: datetime, first: datetime, last: datetime, count: int
) -> None:
    found = members(PeriodWindow(unit, is_backward), anchor)

    assert (found[0], found[-1], len(found)) == (first, last, count)
    assert found == sorted(set(found))


def test_a_window_of_months_begins_with_one() -> None:
    with pytest.raises(ValueError, match="is not the first of a month"):
        members(PeriodWindow(Unit.QUARTER), datetime(2024, 1, 2))


@given(moment=st.datetimes(min_value=datetime(1900, 1, 8)), unit=st.sampled_from(Unit))
def test_every_moment_is_in_the_period_that_begins_before_it(moment: datetime, unit: Unit) -> None:
    start = start_of(unit, moment)

    assert start <= moment
    assert start_of(unit, start) == start
