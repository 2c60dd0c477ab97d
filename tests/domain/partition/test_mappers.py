"""Partition mappers: which keys they make, which moment a key has, and what a rollup waits for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.errors import InvalidDag
from flowd.domain.partition.mapper_json import mapper_from_json, mapper_to_json
from flowd.domain.partition.mappers import (
    FORMATS,
    KEY_FORMAT,
    Allowed,
    Chain,
    FanOut,
    Fixed,
    Identity,
    Mapper,
    Product,
    Rollup,
    StartOf,
    awaited,
    has_arrived,
    moment_of,
    to_downstream,
)
from flowd.domain.partition.windows import PeriodWindow, SegmentWindow, Unit

KEY = "2024-03-13T10:42:15"
DAY, WEEK = StartOf(unit=Unit.DAY), StartOf(unit=Unit.WEEK)
BY_REGION = Product((Identity(), DAY))
REGIONS = SegmentWindow(("us", "eu", "apac"))


@pytest.mark.parametrize(
    ("mapper", "key", "keys"),
    [
        (Identity(), "us", ("us",)),
        (Fixed("all"), "us", ("all",)),
        (Allowed(("us", "eu")), "eu", ("eu",)),
        (StartOf(unit=Unit.HOUR), KEY, ("2024-03-13T10",)),
        (DAY, KEY, ("2024-03-13",)),
        (WEEK, KEY, ("2024-03-11 (W11)",)),
        (StartOf(unit=Unit.MONTH), KEY, ("2024-03",)),
        (StartOf(unit=Unit.QUARTER), KEY, ("2024-Q1",)),
        (StartOf(unit=Unit.YEAR), KEY, ("2024",)),
        (
            StartOf(unit=Unit.DAY, timezone="Asia/Tokyo", input_format="%Y-%m-%dT%H%z"),
            "2024-03-13T20+0000",
            ("2024-03-14",),
        ),
        (StartOf(unit=Unit.MONTH, input_format="%Y-%m-%d", output_format="%m/%Y"), "2024-03-13", ("03/2024",)),
        (BY_REGION, f"us|{KEY}", ("us|2024-03-13",)),
        (Chain((DAY, StartOf(unit=Unit.MONTH, input_format="%Y-%m-%d"))), KEY, ("2024-03",)),
        (Rollup(upstream=DAY, window=PeriodWindow(Unit.DAY)), KEY, ("2024-03-13",)),
        (
            FanOut(upstream=WEEK, window=PeriodWindow(Unit.WEEK)),
            KEY,
            tuple(f"2024-03-{day}" for day in range(11, 18)),
        ),
        (
            FanOut(upstream=WEEK, window=PeriodWindow(Unit.WEEK, is_backward=True)),
            KEY,
            ("2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08", "2024-03-09", "2024-03-10", "2024-03-11"),
        ),
        (FanOut(upstream=Identity(), window=REGIONS, downstream=Identity()), "any", ("apac", "eu", "us")),
        (
            FanOut(upstream=StartOf(unit=Unit.QUARTER), window=PeriodWindow(Unit.QUARTER)),
            KEY,
            ("2024-01", "2024-02", "2024-03"),
        ),
    ],
)  # fmt: skip
def test_an_event_is_for_these_keys(mapper: Mapper, key: str, keys: tuple[str, ...]) -> None:
    assert to_downstream(mapper, key) == keys
    assert mapper_from_json(mapper_to_json(mapper)) == mapper


@pytest.mark.parametrize(
    ("mapper", "key"),
    [
        (Allowed(("us",)), "mars"),
        (DAY, "2024-03-13"),
        (BY_REGION, KEY),
        (Product((FanOut(upstream=WEEK, window=PeriodWindow(Unit.WEEK)), Identity())), f"{KEY}|us"),
        (FanOut(upstream=Identity(), window=PeriodWindow(Unit.DAY)), KEY),
    ],
)
def test_a_key_that_cannot_be_mapped_is_an_error(mapper: Mapper, key: str) -> None:
    with pytest.raises(ValueError):
        to_downstream(mapper, key)


@pytest.mark.parametrize(
    ("mapper", "key", "moment"),
    [
        (Identity(), "2024-03-13", None),
        (DAY, "2024-03-13", datetime(2024, 3, 13, tzinfo=UTC)),
        (WEEK, "2024-03-11 (W11)", datetime(2024, 3, 11, tzinfo=UTC)),
        (StartOf(unit=Unit.QUARTER, timezone="Asia/Tokyo"), "2024-Q2", datetime(2024, 3, 31, 15, tzinfo=UTC)),
        (BY_REGION, "us|2024-03-13", datetime(2024, 3, 13, tzinfo=UTC)),
        (BY_REGION, "us", None),
        (Product((DAY, DAY)), "2024-03-13|2024-03-14", None),
        (Chain((Identity(), DAY)), "2024-03-13", datetime(2024, 3, 13, tzinfo=UTC)),
        (Rollup(upstream=DAY, window=PeriodWindow(Unit.DAY)), "2024-03-13", datetime(2024, 3, 13, tzinfo=UTC)),
        (FanOut(upstream=WEEK, window=PeriodWindow(Unit.WEEK)), "2024-03-13", datetime(2024, 3, 13, tzinfo=UTC)),
    ],
)
def test_a_key_of_time_has_a_moment(mapper: Mapper, key: str, moment: datetime | None) -> None:
    assert moment_of(mapper, key) == moment


@pytest.mark.parametrize(
    ("at_least", "arrived", "is_enough"),
    [
        (None, {"us", "eu"}, False),
        (None, {"us", "eu", "apac", "mars"}, True),
        (2, {"us", "mars"}, False),
        (2, {"us", "eu"}, True),
        (4, {"us", "eu", "apac"}, False),
        (-1, {"us"}, False),
        (-1, {"us", "eu"}, True),
        (-9, {"mars"}, True),
    ],
)
def test_a_rollup_waits_for_its_window(at_least: int | None, arrived: set[str], is_enough: bool) -> None:
    rollup = Rollup(upstream=Fixed("all"), window=REGIONS, at_least=at_least)

    assert has_arrived(rollup, "all", arrived) is is_enough


@given(
    moment=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)),
    unit=st.sampled_from([Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.QUARTER, Unit.YEAR]),
)
def test_every_key_that_a_rollup_awaits_is_for_the_run_that_awaits_it(moment: datetime, unit: Unit) -> None:
    mapper = StartOf(unit=unit)
    (key,) = to_downstream(mapper, moment.strftime(KEY_FORMAT))

    wanted = awaited(Rollup(upstream=mapper, window=PeriodWindow(unit)), key)

    assert {to_downstream(mapper, one) for one in wanted} == {(key,)}
    assert len(wanted) in {Unit.DAY: [24], Unit.WEEK: [7], Unit.QUARTER: [3], Unit.YEAR: [12]}.get(unit, range(28, 32))


@given(moment=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)), unit=st.sampled_from(Unit))
def test_the_moment_of_a_key_is_where_the_period_of_its_event_begins(moment: datetime, unit: Unit) -> None:
    mapper = StartOf(unit=unit)
    (key,) = to_downstream(mapper, moment.strftime(KEY_FORMAT))

    began = moment_of(mapper, key)

    assert began is not None and began <= moment.replace(tzinfo=UTC) < began + timedelta(days=367)
    assert to_downstream(mapper, began.strftime(KEY_FORMAT)) == (key,)
    assert FORMATS[unit] == mapper.output_format


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (Rollup, {"upstream": Identity(), "window": PeriodWindow(Unit.DAY)}, "does not go with Identity"),
        (Rollup, {"upstream": DAY, "window": REGIONS}, "a SegmentWindow does not go with StartOf"),
        (Rollup, {"upstream": DAY, "window": PeriodWindow(Unit.DAY), "at_least": 0}, r"MinimumCount\(0\)"),
        (FanOut, {"upstream": DAY, "window": PeriodWindow(Unit.HOUR)}, "give it a downstream_mapper"),
        (FanOut, {"upstream": Identity(), "window": REGIONS}, "give it a downstream_mapper"),
        (StartOf, {"unit": Unit.DAY, "timezone": "Mars/Olympus"}, "unknown time zone 'Mars/Olympus'"),
        (StartOf, {"unit": Unit.WEEK, "output_format": "%Y %Y"}, "output_format '%Y %Y'"),
        (SegmentWindow, {"keys": ()}, "there is no key"),
        (SegmentWindow, {"keys": ("us", "")}, "'' is no key"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(make: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDag, match=message):
        make(**fields)
