"""Assets as authors write them: conditions, outlets, and the events of a task."""

from datetime import datetime
from typing import Any

import pytest

from flowd.domain.assets import AliasSpec, AllOf, AnyOf, AssetSpec
from flowd.domain.timetable import CronTriggerTimetable, NullTimetable
from flowd.domain.work import NoWork
from flowd.operators.empty import EmptyOperator
from flowd.sdk.asset_events import InletEvents, OutletEvents
from flowd.sdk.assets import Asset, AssetAlias, AssetAny, AssetOrTimeSchedule, Dataset, Metadata, Model
from flowd.sdk.dag import DAG
from flowd.sdk.serialize import serialize
from flowd.sdk.supervisor import supervised_by

START = datetime(2026, 1, 1)
A, B, C = Asset("a"), Asset("b", "s3://b"), Dataset("s3://c")
SPECS = {"a": AssetSpec(name="a", uri="a"), "b": AssetSpec(name="b", uri="s3://b")}
SPECS["c"] = AssetSpec(name="s3://c", uri="s3://c")


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (A, SPECS["a"]),
        ([A, B], AllOf((SPECS["a"], SPECS["b"]))),
        (A & B & C, AllOf((SPECS["a"], SPECS["b"], SPECS["c"]))),
        (A | B | C, AnyOf((SPECS["a"], SPECS["b"], SPECS["c"]))),
        (A & (B | AssetAlias("n")), AllOf((SPECS["a"], AnyOf((SPECS["b"], AliasSpec(name="n", group="asset")))))),
    ],
)
def test_a_schedule_of_assets_is_a_condition(schedule: object, expected: object) -> None:
    spec = serialize(DAG("d", schedule=schedule, start_date=START), "d.py")

    assert spec.assets == expected
    assert spec.timetable == NullTimetable()


def test_a_schedule_may_go_by_time_and_by_assets() -> None:
    schedule = AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 6 * * *", "UTC"), assets=[A])

    spec = serialize(DAG("d", schedule=schedule, start_date=START), "d.py")

    assert (spec.timetable, spec.assets) == (CronTriggerTimetable("0 6 * * *", "UTC"), AllOf((SPECS["a"],)))


def test_a_task_with_outlets_is_run_even_if_it_does_nothing() -> None:
    with DAG("d", start_date=START) as dag:
        EmptyOperator(task_id="t", outlets=[A, "of another tool"], inlets=AssetAlias("n"))

    (task,) = serialize(dag, "d.py").tasks

    assert task.outlets == (SPECS["a"],)
    assert task.inlets == (AliasSpec(name="n", group="asset"),)
    assert not isinstance(task.work, NoWork)


def test_a_task_tells_of_its_outlets_and_of_what_it_added_to_aliases() -> None:
    alias = AssetAlias("n")
    events = OutletEvents([A, alias])
    events[A].extra["rows"] = 3
    events.take(Metadata(A, {"more": True}))
    events[alias].add(B, extra={"x": 1})
    events.take(Metadata(C, {"y": 2}, alias=alias))

    assert [(one["asset"]["name"], one["event_extra"], one["via"]) for one in events.news()] == [
        ("a", {"rows": 3, "more": True}, None),
        ("b", {"x": 1}, "n"),
        ("s3://c", {"y": 2}, "n"),
    ]
    with pytest.raises(KeyError, match="is no outlet of this task"):
        events[B]
    with pytest.raises(TypeError, match="is no AssetAlias"):
        events["a"].add(B)


def test_what_is_no_asset_is_refused() -> None:
    with pytest.raises(TypeError, match="needs a name or a uri"):
        Asset()
    with pytest.raises(TypeError, match="expect asset expressions"):
        AssetAny()


def test_assets_are_the_same_by_name_and_uri() -> None:
    assert {Asset("s3://c"), C, Asset.ref(uri="s3://c")} == {C}
    assert Model("m").group == "model"
    assert (A.spec().uri, B.normalized_uri) == ("a", "s3://b")


def test_the_events_of_an_inlet_are_found_by_name_or_uri() -> None:
    class Told:
        def request(self, op: str, **fields: Any) -> dict[str, Any]:
            event = {
                "name": f"{fields['by']} {fields['value']}", "uri": "u", "group": "asset", "extra": {},
                "timestamp": "2026-01-01T00:00:00+00:00",
                "source_dag_id": "d", "source_task_id": "t", "source_run_id": "r", "source_map_index": -1,
                "partition_key": "us",
            }  # fmt: skip
            return {"events": [event]}

    events = InletEvents([Asset("a", "s3://a"), AssetAlias("b")])

    with supervised_by(Told()):
        assert events.for_asset(uri="s3://a")[0].asset.name == "uri s3://a"
        assert events.for_asset(name="a", uri="s3://a")[0].asset.name == "name a"
        assert events.for_asset(name="a") is events[Asset("a", "s3://a")] is events[0]
        assert events.for_asset_alias(name="b")[0].partition_key == "us"
        with pytest.raises(KeyError, match="no inlet of this task is an asset with name 'x' and uri None"):
            events.for_asset(name="x")
