"""Assets, their events and what is queued, over the API."""

from typing import Any

import pytest

from flowd.db import asset_events, assets
from flowd.db.assets import Made
from flowd.domain.asset_watch import WatcherSpec
from flowd.domain.assets import AliasSpec, AllOf, AssetNews, AssetSpec
from flowd.domain.deferral import TriggerSpec
from flowd.domain.partition.mappers import StartOf
from flowd.domain.partition.plan import AssetMapper, Partitioning
from flowd.domain.partition.windows import Unit
from flowd.domain.timetable import RuntimePartitionTimetable
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

ORDERS = AssetSpec(name="orders", uri="s3://shop/orders", extra={"owner": "ada"})
RATES = AssetSpec(name="rates", uri="s3://bank/rates", group="bank")
DAILY = Partitioning(default=AssetMapper(mapper=StartOf(unit=Unit.DAY)))
BEFORE_ALL = "2001-01-01T00:00:00Z"


@pytest.fixture
async def shop(either: Cluster) -> Cluster:
    """`maker` writes orders; `report` runs when there are new orders and rates, and reads orders in one task."""
    await either.save(
        a_dag(a_task("make", outlets=(ORDERS, AliasSpec(name="any"))), dag_id="maker", file="maker.py"),
        a_dag(a_task("read", inlets=(ORDERS,)), dag_id="report", file="report.py", assets=AllOf((ORDERS, RATES))),
    )
    return either


async def id_of(cluster: Cluster, name: str) -> int:
    async with cluster.metastore.reading() as tx:
        return await assets.id_of(tx, name)


async def answer_with_a_run(cluster: Cluster) -> None:
    """Make the run of `report` that a scheduler would make."""
    run = await cluster.trigger("report", "about")
    async with cluster.metastore.transaction() as tx:
        queued = await asset_events.hold_queued(tx, run.dag_id)
        assert queued is not None
        await asset_events.answer(tx, queued, run.key)


async def test_an_asset_says_who_uses_it(shop: Cluster) -> None:
    listed = await shop.get("/api/v2/assets", order_by="name")
    orders = await shop.get(f"/api/v2/assets/{await id_of(shop, 'orders')}")

    assert [one["name"] for one in listed["assets"]] == ["orders", "rates"]
    assert orders == listed["assets"][0]
    assert (orders["uri"], orders["group"], orders["extra"]) == ("s3://shop/orders", "asset", {"owner": "ada"})
    assert [use["dag_id"] for use in orders["scheduled_dags"]] == ["report"]
    assert [(use["dag_id"], use["task_id"]) for use in orders["producing_tasks"]] == [("maker", "make")]
    assert [(use["dag_id"], use["task_id"]) for use in orders["consuming_tasks"]] == [("report", "read")]
    assert orders["last_asset_event"] == {"id": None, "timestamp": None}


async def test_an_asset_says_what_watches_it(shop: Cluster) -> None:
    watcher = WatcherSpec(asset="orders", name="w", trigger=TriggerSpec(classpath="a.B", kwargs={}, file=""))
    for dag_id in ("one", "two"):
        await shop.save(a_dag(a_task("t"), dag_id=dag_id, file="w.py", assets=ORDERS, watchers=(watcher,)))

    (told,) = (await shop.get(f"/api/v2/assets/{await id_of(shop, 'orders')}"))["watchers"]

    assert told["name"] == "w" and told["trigger_id"] and told["created_date"]


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"name_pattern": "ORD"}, ["orders"]),
        ({"uri_pattern": "bank"}, ["rates"]),
        ({"uri_prefix_pattern": "s3://shop"}, ["orders"]),
        ({"dag_ids": "maker"}, ["orders"]),
        ({"dag_ids": ["maker", "report"]}, ["orders", "rates"]),
        ({"order_by": "-name", "limit": 1}, ["rates"]),
    ],
)
async def test_assets_are_found(shop: Cluster, params: dict[str, Any], names: list[str]) -> None:
    listed = await shop.get("/api/v2/assets", **({"order_by": "name"} | params))

    assert [one["name"] for one in listed["assets"]] == names


async def test_what_no_dag_in_service_uses_is_listed_only_where_asked_for(shop: Cluster) -> None:
    async with shop.metastore.transaction() as tx:
        await tx.execute("UPDATE dag SET is_active = :no WHERE dag_id <> 'etl'", {"no": False})

    assert (await shop.get("/api/v2/assets"))["total_entries"] == 0
    assert (await shop.get("/api/v2/assets", only_active=False))["total_entries"] == 2


async def test_an_event_from_outside_is_queued_and_told_with_the_run_it_set_off(shop: Cluster) -> None:
    orders, rates = await id_of(shop, "orders"), await id_of(shop, "rates")

    made = await shop.send("POST", "/api/v2/assets/events", {"asset_id": orders, "extra": {"rows": 2}})
    queued = await shop.get(f"/api/v2/assets/{orders}/queuedEvents")
    await shop.send("POST", "/api/v2/assets/events", {"asset_id": rates})
    await answer_with_a_run(shop)

    assert (made["name"], made["extra"]) == ("orders", {"rows": 2, "from_rest_api": True})
    assert (made["source_dag_id"], made["source_map_index"], made["created_dagruns"]) == (None, -1, [])
    assert [(one["dag_id"], one["asset_id"]) for one in queued["queued_events"]] == [("report", orders)]
    events = (await shop.get("/api/v2/assets/events", order_by="-timestamp"))["asset_events"]
    assert [event["name"] for event in events] == ["rates", "orders"]
    assert [run["run_id"] for run in events[1]["created_dagruns"]] == ["about"]
    of_run = await shop.get("/api/v2/dags/report/dagRuns/about/upstreamAssetEvents")
    assert [event["name"] for event in of_run["asset_events"]] == ["orders", "rates"]
    last = (await shop.get(f"/api/v2/assets/{orders}"))["last_asset_event"]
    assert (last["id"], last["timestamp"]) == (made["id"], made["timestamp"])
    assert (await shop.get(f"/api/v2/assets/{orders}/queuedEvents"))["total_entries"] == 0


async def test_events_of_tasks_are_found_by_their_source_and_aliases_by_their_name(shop: Cluster) -> None:
    run = await shop.trigger("maker", "m1")
    instances = await shop.start(run)
    news = AssetNews(asset=ORDERS, extra={}, alias="any")
    async with shop.metastore.transaction() as tx:
        await assets.record(tx, [Made(instance=instances["make"].key, news=news)], await tx.now())

    async def found(**params: Any) -> int:
        return int((await shop.get("/api/v2/assets/events", **params))["total_entries"])

    assert await found(source_dag_id="maker", source_task_id="make", source_run_id="m1") == 1
    assert await found(asset_id=await id_of(shop, "rates")) == await found(timestamp_lt=BEFORE_ALL) == 0
    assert await found(name_pattern="order") == await found(source_map_index=-1) == 1
    (alias,) = (await shop.get("/api/v2/assets/aliases", name_pattern="an"))["asset_aliases"]
    assert await shop.get(f"/api/v2/assets/aliases/{alias['id']}") == alias
    assert (await shop.get(f"/api/v2/assets/{await id_of(shop, 'orders')}"))["aliases"] == [alias]


async def test_what_is_queued_can_be_forgotten(shop: Cluster) -> None:
    orders = await id_of(shop, "orders")
    of_dag, of_both = "/api/v2/dags/report/assets/queuedEvents", f"/api/v2/dags/report/assets/{orders}/queuedEvents"
    of_asset = f"/api/v2/assets/{orders}/queuedEvents"
    for path in (of_dag, of_both, of_asset):
        await shop.send("POST", "/api/v2/assets/events", {"asset_id": orders})
        assert (await shop.get(of_both))["dag_id"] == "report"
        assert (await shop.send("DELETE", f"{path}?before={BEFORE_ALL}", None, 404))["detail"].endswith("not found")

        await shop.send("DELETE", path, None, 204)

        assert (await shop.get(of_dag))["queued_events"] == []
        assert (await shop.get(of_both, 404))["detail"] == (
            f"Queued event with dag_id: `report` and asset_id: `{orders}` was not found"
        )


async def test_an_asset_is_made_by_the_one_dag_that_can(shop: Cluster) -> None:
    orders, rates = await id_of(shop, "orders"), await id_of(shop, "rates")

    run = await shop.send("POST", f"/api/v2/assets/{orders}/materialize", {"conf": {"a": 1}})
    named = await shop.send("POST", f"/api/v2/assets/{orders}/materialize", {"dag_run_id": "mine"})

    assert (run["dag_id"], run["run_type"], run["conf"]) == ("maker", "asset_materialization", {"a": 1})
    assert run["dag_run_id"].startswith("asset_materialization__")
    assert named["dag_run_id"] == "mine"
    nobody = await shop.send("POST", f"/api/v2/assets/{rates}/materialize", None, 404)
    assert nobody["detail"] == f"No DAG materializes asset with ID: {rates}"
    await shop.save(a_dag(a_task("make", outlets=(ORDERS,)), dag_id="another", file="another.py"))
    several = await shop.send("POST", f"/api/v2/assets/{orders}/materialize", None, 409)
    assert several["detail"]["message"] == f"More than one DAG materializes asset with ID: {orders}"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v2/assets/99", None, 404),
        ("GET", "/api/v2/assets/aliases/99", None, 404),
        ("GET", "/api/v2/assets/x", None, 422),
        ("GET", "/api/v2/assets?order_by=colour", None, 400),
        ("GET", "/api/v2/dags/etl/dagRuns/nope/upstreamAssetEvents", None, 404),
        ("POST", "/api/v2/assets/events", {"asset_id": 99}, 404),
        ("POST", "/api/v2/assets/events", {"asset_id": 1, "colour": "red"}, 422),
        ("POST", "/api/v2/assets/1/materialize", {"data_interval_start": BEFORE_ALL}, 422),
        ("DELETE", "/api/v2/assets/99/queuedEvents", None, 404),
    ],
)
async def test_what_is_not_there_or_not_as_wanted_is_refused(
    cluster: Cluster, method: str, path: str, body: Any, status: int
) -> None:
    assert (await cluster.send(method, path, body, status))["detail"]


async def test_partitions_are_told_of_runs_events_and_dags(cluster: Cluster) -> None:

    await cluster.save(
        a_dag(a_task("make", outlets=(ORDERS,)), dag_id="maker", file="p.py", timetable=RuntimePartitionTimetable()),
        a_dag(a_task("use"), dag_id="user", file="p.py", assets=ORDERS, partitioning=Partitioning()),
        a_dag(a_task("use"), dag_id="daily", file="p.py", assets=ORDERS, partitioning=DAILY),
    )
    orders = await id_of(cluster, "orders")

    run = await cluster.send("POST", "/api/v2/dags/maker/dagRuns", {"logical_date": None, "partition_key": "us"})
    made = await cluster.send("POST", f"/api/v2/assets/{orders}/materialize", {"partition_key": "eu"})
    event = await cluster.send("POST", "/api/v2/assets/events", {"asset_id": orders, "partition_key": "us"})

    assert (run["partition_key"], run["partition_date"], made["partition_key"]) == ("us", None, "eu")
    assert event["partition_key"] == "us"
    of_day = {"logical_date": None, "partition_key": "2026-03-13"}
    day = await cluster.send("POST", "/api/v2/dags/daily/dagRuns", of_day)
    assert day["partition_date"] == "2026-03-13T00:00:00Z"
    await cluster.send("POST", "/api/v2/dags/daily/dagRuns", {"logical_date": None, "partition_key": "someday"}, 400)
    for call in ("clearPartitions", "clearDagRuns"):
        told = await cluster.send("POST", f"/api/v2/dags/maker/{call}", {"partition_key": "us"}, 400)
        assert "does not clear runs by their partitions" in str(told)
    listed = await cluster.get("/api/v2/dags/~/dagRuns", partition_key_pattern="e")
    assert [one["partition_key"] for one in listed["dag_runs"]] == ["eu"]
    dags = {name: (await cluster.get(f"/api/v2/dags/{name}"))["timetable_partitioned"] for name in ("maker", "user")}
    assert dags == {"maker": False, "user": True}
