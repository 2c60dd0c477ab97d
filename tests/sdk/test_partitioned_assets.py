"""Partitions of assets as authors write them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowd.domain.assets import AllOf, AssetSpec
from flowd.domain.errors import InvalidDag
from flowd.domain.partition import mappers, windows
from flowd.domain.partition.plan import MOST_KEYS, AssetMapper, Partitioning
from flowd.domain.partition.windows import Unit
from flowd.domain.timetable import CronPartitionTimetable, NullTimetable, RuntimePartitionTimetable
from flowd.sdk import known_timetables as timetables
from flowd.sdk import partition_mappers as sdk
from flowd.sdk.asset_events import OutletEvents
from flowd.sdk.assets import Asset, AssetAlias
from flowd.sdk.dag import DAG
from flowd.sdk.dag_file import load
from flowd.sdk.partitioned_assets import PartitionedAssetTimetable
from flowd.sdk.serialize import serialize

A, B = Asset("a"), Asset("b")
DAY = mappers.StartOf(unit=Unit.DAY)


def test_a_schedule_by_partitions_is_a_condition_and_a_plan() -> None:
    schedule = PartitionedAssetTimetable(
        assets=A & Asset.ref(name="b"),
        partition_mapper_config={Asset.ref(name="b"): sdk.StartOfDayMapper(max_downstream_keys=3)},
    )

    spec = serialize(DAG("d", schedule=schedule), "d.py")

    assert spec.timetable == NullTimetable()
    assert spec.assets == AllOf((AssetSpec(name="a", uri="a"), AssetSpec(name="b", uri="b")))
    assert spec.partitioning == Partitioning(
        default=AssetMapper(mapper=mappers.Identity(), most_keys=MOST_KEYS),
        by_asset={"b": AssetMapper(mapper=DAY, most_keys=3)},
    )
    assert serialize(DAG("d", schedule=[A]), "d.py").partitioning is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (sdk.IdentityMapper(), mappers.Identity()),
        (sdk.FixedKeyMapper("k"), mappers.Fixed("k")),
        (sdk.AllowedKeyMapper(["us"]), mappers.Allowed(("us",))),
        (sdk.StartOfDayMapper(timezone=UTC), DAY),
        (
            sdk.StartOfQuarterMapper(timezone="Asia/Tokyo", input_format="%Y", output_format="Q{quarter} %Y"),
            mappers.StartOf(unit=Unit.QUARTER, timezone="Asia/Tokyo", input_format="%Y", output_format="Q{quarter} %Y"),
        ),
        (sdk.ProductMapper(sdk.IdentityMapper(), sdk.StartOfDayMapper()), mappers.Product((mappers.Identity(), DAY))),
        (sdk.ChainMapper(sdk.IdentityMapper(), sdk.StartOfDayMapper()), mappers.Chain((mappers.Identity(), DAY))),
        (
            sdk.RollupMapper(
                upstream_mapper=sdk.FixedKeyMapper("k"),
                window=sdk.SegmentWindow(["b", "a"]),
                wait_policy=sdk.MinimumCount(-1),
            ),
            mappers.Rollup(upstream=mappers.Fixed("k"), window=windows.SegmentWindow(("a", "b")), at_least=-1),
        ),
        (
            sdk.FanOutMapper(
                upstream_mapper=sdk.StartOfWeekMapper(), window=sdk.WeekWindow(direction=sdk.Window.Direction.BACKWARD)
            ),
            mappers.FanOut(
                upstream=mappers.StartOf(unit=Unit.WEEK), window=windows.PeriodWindow(Unit.WEEK, is_backward=True)
            ),
        ),
    ],
)
def test_what_authors_write_is_a_mapper_of_the_domain(given: sdk.PartitionMapper, expected: mappers.Mapper) -> None:
    assert given.spec == expected


def test_a_mapper_can_be_asked_in_an_authors_own_test() -> None:
    assert sdk.StartOfDayMapper().to_downstream("2024-03-13T10:42:15") == "2024-03-13"
    days = sdk.FanOutMapper(upstream_mapper=sdk.StartOfWeekMapper(), window=sdk.WeekWindow())
    assert len(days.to_downstream("2024-03-13T10:42:15")) == 7


def test_schedules_of_partitions_are_known_to_the_scheduler() -> None:
    cron = timetables.CronPartitionTimetable("0 * * * *", timezone="UTC", run_offset=-1, key_format="%Y")

    dags = [
        DAG("d", schedule=one, start_date=datetime(2026, 1, 1)) for one in (cron, timetables.PartitionedAtRuntime())
    ]

    assert [serialize(dag, "d.py").timetable for dag in dags] == [
        CronPartitionTimetable("0 * * * *", "UTC", -1, "%Y"),
        RuntimePartitionTimetable(),
    ]


class Own(sdk.PartitionMapper):
    """A mapper of an author's own."""


class OwnWindow(sdk.DayWindow):
    """A window of an author's own."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PartitionedAssetTimetable(A, {A: Own()}), "Own: partition mappers of an author's own are not known"),
        (lambda: sdk.FanOutMapper(upstream_mapper=sdk.StartOfDayMapper(), window=OwnWindow()), "OwnWindow: windows of"),
        (lambda: PartitionedAssetTimetable(AssetAlias("n")), "the alias 'n' has no partitions"),
        (lambda: PartitionedAssetTimetable(A, {AssetAlias("n"): sdk.IdentityMapper()}), "has no partitions"),
        (lambda: PartitionedAssetTimetable("a"), "assets is 'a'"),
        (lambda: sdk.ProductMapper(sdk.IdentityMapper()), "has 1 mappers, wanted two or more"),
        (lambda: sdk.IdentityMapper(max_downstream_keys=0), "max_downstream_keys is 0"),
        (lambda: sdk.MinimumCount(0), r"MinimumCount\(0\)"),
        (lambda: sdk.FixedKeyMapper(""), r"FixedKeyMapper\(''\)"),
        (lambda: timetables.CronPartitionTimetable("@daily", run_offset=1.5), "run_offset is 1.5"),  # type: ignore[arg-type]
    ],
)
def test_what_flowd_does_not_know_is_refused_with_its_name(make: Any, message: str) -> None:
    with pytest.raises(InvalidDag, match=message):
        make()


def test_a_task_names_the_partitions_it_has_made_each_once() -> None:
    alias = AssetAlias("n")
    events = OutletEvents([A, B, alias])
    events[A].extra["rows"] = 3
    events[A].add_partitions(["us", "eu", "us"])
    events[A].add_partitions("us")

    assert [(one["asset"]["name"], one["partition_key"], one["event_extra"]) for one in events.news()] == [
        ("a", "us", {"rows": 3}),
        ("a", "eu", {"rows": 3}),
        ("b", None, {}),
    ]
    with pytest.raises(ValueError, match="not blank"):
        events[A].add_partitions(" ")
    with pytest.raises(TypeError, match="an alias has no partitions"):
        events[alias].add_partitions("us")


def test_the_names_are_where_airflow_has_them(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        "from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, CronPartitionTimetable, PartitionedAtRuntime\n"
        "from airflow.sdk import FanOutMapper, SegmentWindow, WaitForAll, MinimumCount, RollupMapper\n"
        "from airflow.partition_mappers.temporal import StartOfDayMapper\n"
        "from airflow.timetables.trigger import CronPartitionTimetable\n"
        "by_day = PartitionedAssetTimetable(assets=Asset('a'), default_partition_mapper=StartOfDayMapper())\n"
        "dag = DAG('d', schedule=by_day)\n"
    )

    (dag,) = load(str(tmp_path), "d.py")

    assert serialize(dag, "d.py").partitioning == Partitioning(default=AssetMapper(mapper=DAY))
