"""Partitioning: which runs an event is for, when a key may run, and which moment it is about."""

from datetime import UTC, datetime

import pytest

from flowd.domain.assets import AllOf, AnyOf, AssetCondition, AssetSpec
from flowd.domain.errors import InvalidInput
from flowd.domain.partition.mappers import FanOut, Fixed, Identity, Mapper, Rollup, StartOf
from flowd.domain.partition.plan import (
    Arrival,
    AssetMapper,
    NotMapped,
    Partitioning,
    date_of,
    date_of_key,
    is_ready,
    partitioning_from_json,
    partitioning_to_json,
    plan_hash,
    targets,
)
from flowd.domain.partition.windows import PeriodWindow, SegmentWindow, Unit

X, Y = (AssetSpec(name=name, uri=name) for name in "xy")
HOUR = StartOf(unit=Unit.HOUR)
WEEKLY = FanOut(upstream=StartOf(unit=Unit.WEEK), window=PeriodWindow(Unit.WEEK))
NOON = datetime(2024, 3, 13, 12, tzinfo=UTC)


def plan(default: Mapper = HOUR, most_keys: int = 1000, **by_asset: Mapper) -> Partitioning:
    return Partitioning(
        default=AssetMapper(mapper=default, most_keys=most_keys),
        by_asset={name: AssetMapper(mapper=mapper) for name, mapper in by_asset.items()},
    )


def arrival(asset: str, source: str = "2024-03-13T12:15:00", date: datetime | None = None, event: int = 1) -> Arrival:
    return Arrival(event=event, asset=asset, source=source, date=date)


def test_an_event_has_the_mapper_of_its_asset_or_the_default() -> None:
    mixed = plan(y=Identity())

    assert targets(mixed, "x", "2024-03-13T12:15:00") == ("2024-03-13T12",)
    assert targets(mixed, "y", "2024-03-13T12:15:00") == ("2024-03-13T12:15:00",)
    assert partitioning_from_json(partitioning_to_json(mixed)) == mixed
    assert plan_hash(mixed) == plan_hash(plan(y=Identity())) != plan_hash(plan())


@pytest.mark.parametrize(
    ("one", "key", "message"),
    [
        (plan(), "noon", "'noon' of asset 'x' cannot be mapped"),
        (plan(WEEKLY, most_keys=6), "2024-03-13T12:15:00", "gives 7 keys, at most 6 are allowed"),
        (plan(Fixed("k" * 251)), "a", "has 251 characters"),
        (plan(StartOf(unit=Unit.DAY, output_format=" ")), "2024-03-13T12:15:00", "not blank"),
    ],
)
def test_what_is_for_no_run_is_told(one: Partitioning, key: str, message: str) -> None:
    with pytest.raises(NotMapped, match=message):
        targets(one, "x", key)


@pytest.mark.parametrize(
    ("condition", "assets", "expected"),
    [
        (AllOf((X, Y)), "x", False),
        (AllOf((X, Y)), "xy", True),
        (AnyOf((X, Y)), "y", True),
        (X, "y", False),
    ],
)
def test_a_key_may_run_when_the_condition_is_met_for_it(condition: AssetCondition, assets: str, expected: bool) -> None:
    assert is_ready(plan(), condition, "2024-03-13T12", [arrival(name) for name in assets]) is expected


def test_an_asset_with_a_rollup_has_arrived_when_its_window_has() -> None:
    regions = plan(Rollup(upstream=Fixed("all"), window=SegmentWindow(("us", "eu"))), y=Fixed("all"))
    us, eu = arrival("x", "us"), arrival("x", "eu")

    assert not is_ready(regions, AllOf((X, Y)), "all", [us, arrival("y")])
    assert is_ready(regions, AllOf((X, Y)), "all", [us, eu, arrival("y")])


def test_mappers_that_write_a_key_differently_never_agree() -> None:
    mixed = plan(x=Rollup(upstream=StartOf(unit=Unit.DAY), window=PeriodWindow(Unit.DAY)))

    assert not is_ready(mixed, X, "2024-03-13T12", [arrival("x")])
    assert date_of(mixed, "2024-03-13T12", [arrival("x")]) is None


@pytest.mark.parametrize(
    ("one", "key", "arrivals", "expected"),
    [
        (plan(), "2024-03-13T12", [arrival("x")], NOON),
        (plan(), "2024-03-13T12", [arrival("x", date=NOON.replace(hour=1))], NOON),
        (plan(y=StartOf(unit=Unit.HOUR, timezone="Asia/Tokyo")), "2024-03-13T12", [arrival("x"), arrival("y")], None),
        (plan(Identity()), "k", [arrival("x", date=NOON), arrival("y")], NOON),
        (plan(Identity()), "k", [arrival("x", date=NOON), arrival("y", date=NOON.replace(hour=1))], None),
        (plan(Fixed("k")), "k", [arrival("x", date=NOON)], None),
    ],
)
def test_the_date_of_a_run_is_that_of_its_key_or_came_with_an_event(
    one: Partitioning, key: str, arrivals: list[Arrival], expected: datetime | None
) -> None:
    assert date_of(one, key, arrivals) == expected


@pytest.mark.parametrize(
    ("one", "key", "expected"),
    [
        (plan(), "2024-03-13T12", NOON),
        (plan(y=Identity()), "2024-03-13T12", NOON),
        (plan(y=StartOf(unit=Unit.HOUR, timezone="Asia/Tokyo")), "2024-03-13T12", None),
        (plan(Fixed("k")), "k", None),
    ],
)
def test_the_date_of_a_run_that_somebody_asks_for_is_that_of_its_key(
    one: Partitioning, key: str, expected: datetime | None
) -> None:
    assert date_of_key(one, {"x", "y"}, key) == expected


def test_nobody_asks_for_a_key_that_no_mapper_writes() -> None:
    with pytest.raises(InvalidInput, match="Partition key 'noon' is invalid for this timetable's mappers"):
        date_of_key(plan(), {"x"}, "noon")
