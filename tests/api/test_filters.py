"""Filters that are no column of their list, on each database; and the DAGs that somebody likes best."""

from typing import Any

import pytest

from flowd.db import asset_events, assets
from flowd.db.assets import Made
from flowd.domain.assets import AssetNews, AssetSpec
from flowd.security.account_role import AccountRole
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

ORDERS = AssetSpec(name="orders", uri="s3://shop/x")
PAST, FUTURE = "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


@pytest.fixture
async def shop(either: Cluster) -> Cluster:
    """`etl` with a failed run and a queued one; `report`, scheduled by orders, with a run about them."""
    await either.save(a_dag(a_task("read"), dag_id="report", file="report.py", assets=ORDERS))
    instances = await either.start(await either.trigger())
    await either.succeed(instances["extract"], {"rows": 3})
    await either.send("PATCH", "/api/v2/dags/etl/dagRuns/one", {"state": "failed"})
    await either.trigger(run_id="two")
    run = await either.trigger("report", "about")
    async with either.metastore.transaction() as tx:
        await assets.record(tx, [Made(instance=None, news=AssetNews(asset=ORDERS))], await tx.now())
        queued = await asset_events.hold_queued(tx, run.dag_id)
        assert queued is not None
        await asset_events.answer(tx, queued, run.key)
    return either


@pytest.mark.parametrize(
    ("params", "dags"),
    [
        ({"has_asset_schedule": True}, ["report"]),
        ({"has_asset_schedule": False}, ["etl"]),
        ({"asset_dependency": "ORD"}, ["report"]),
        ({"asset_dependency": "s3://shop"}, ["report"]),
        ({"asset_dependency": "nothing"}, []),
        ({"bundle_name": "dags-folder"}, ["etl", "report"]),
        ({"bundle_name": "another"}, []),
        ({"dag_display_name_prefix_pattern": "The"}, ["etl"]),
        ({"dag_display_name_prefix_pattern": "the"}, []),
        ({"dag_run_start_date_gt": PAST}, ["etl"]),
        ({"dag_run_start_date_gt": PAST, "dag_run_state": "queued"}, []),
        ({"dag_run_end_date_lt": FUTURE, "dag_run_state": "failed"}, ["etl"]),
        ({"dag_run_end_date_lt": PAST}, []),
    ],
)
async def test_dags_are_found(shop: Cluster, params: dict[str, Any], dags: list[str]) -> None:
    assert [dag["dag_id"] for dag in (await shop.get("/api/v2/dags", **params))["dags"]] == dags


@pytest.mark.parametrize(
    ("params", "runs"),
    [
        ({"consuming_asset_pattern": "ord"}, ["about"]),
        ({"consuming_asset_pattern": "shop", "cursor": ""}, ["about"]),
        ({"consuming_asset_pattern": "nothing"}, []),
        ({"consuming_asset_pattern": "~"}, ["about", "one", "two"]),
        ({"partition_key_pattern": "a"}, []),
        ({"partition_key_pattern": "~"}, ["about", "one", "two"]),
        ({"partition_date_gte": "2001-01-01"}, []),
        ({"updated_at_gte": PAST}, ["about", "one", "two"]),
        ({"updated_at_gte": FUTURE}, []),
        ({"order_by": "-updated_at", "limit": 1, "dag_id_pattern": "report"}, ["about"]),
    ],
)
async def test_runs_are_found(shop: Cluster, params: dict[str, Any], runs: list[str]) -> None:
    found = (await shop.get("/api/v2/dags/~/dagRuns", **params))["dag_runs"]

    assert sorted(run["dag_run_id"] for run in found) == runs


async def test_a_run_is_updated_when_its_state_changes(shop: Cluster) -> None:
    one = await shop.get("/api/v2/dags/etl/dagRuns/one")
    extract = await shop.get("/api/v2/dags/etl/dagRuns/one/taskInstances/extract")

    since = await shop.get("/api/v2/dags/etl/dagRuns", updated_at_gte=one["end_date"], order_by="updated_at")
    tasks = await shop.get("/api/v2/dags/etl/dagRuns/one/taskInstances", updated_at_gt=extract["end_date"])

    assert [run["dag_run_id"] for run in since["dag_runs"]] == ["one", "two"]
    assert [task["task_id"] for task in tasks["task_instances"]] == ["load"]


@pytest.mark.parametrize(
    ("params", "total"),
    [
        ({"map_index_filter": -1}, 1),
        ({"map_index_filter": 0}, 0),
        ({"dag_display_name_pattern": "etl"}, 1),
        ({"dag_display_name_prefix_pattern": "The"}, 1),
        ({"dag_display_name_pattern": "report"}, 0),
    ],
)
async def test_xcoms_are_found(shop: Cluster, params: dict[str, Any], total: int) -> None:
    path = "/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries"

    assert (await shop.get(path, **params))["total_entries"] == total


async def test_task_instances_are_found_by_their_group(cluster: Cluster) -> None:
    groups = {"children": ["a", {"id": "g", "children": ["g.b"]}]}
    spec = a_dag(a_task("a"), a_task("g.b"), dag_id="grouped", file="g.py", presentation={"groups": groups})
    await cluster.save(spec)
    await cluster.start(await cluster.trigger("grouped"))

    for run in ("one", "~"):
        found = await cluster.get(f"/api/v2/dags/grouped/dagRuns/{run}/taskInstances", task_group_id="g")
        assert [one["task_id"] for one in found["task_instances"]] == ["g.b"]
    nothing = await cluster.get("/api/v2/dags/grouped/dagRuns/one/taskInstances", task_group_id="nope")
    assert nothing["total_entries"] == 0
    refused = await cluster.get("/api/v2/dags/~/dagRuns/~/taskInstances", 400, task_group_id="g")
    assert "wanted a DAG in the path" in refused["detail"]


async def test_tags_are_found_and_ordered(cluster: Cluster) -> None:
    assert (await cluster.get("/api/v2/dagTags", tag_name_prefix_pattern="sa"))["tags"] == ["sales"]
    assert (await cluster.get("/api/v2/dagTags", order_by="-name", limit=1))["tags"] == ["sales"]
    assert (await cluster.get("/api/v2/dagTags", tag_name_prefix_pattern="~"))["total_entries"] == 2
    assert (await cluster.get("/api/v2/dagTags", 400, order_by="colour"))["detail"].startswith("Ordering with 'colour'")


async def test_a_dag_is_somebodys_favourite_until_it_is_not(either: Cluster) -> None:
    await either.save(a_dag(a_task("t"), dag_id="other", file="other.py"))

    async def favourites(is_favorite: bool, role: AccountRole = AccountRole.OP) -> list[str]:
        answer = await either.clients[role].get("/api/v2/dags", params={"is_favorite": is_favorite})
        return [dag["dag_id"] for dag in answer.json()["dags"]]

    for _ in range(2):
        await either.send("POST", "/api/v2/dags/etl/favorite", None, 204)

    assert (await favourites(True), await favourites(False)) == (["etl"], ["other"])
    assert await favourites(True, AccountRole.VIEWER) == []
    assert (await either.op.get("/api/v2/dags/etl/details")).json()["is_favorite"] is True
    assert (await either.get("/api/v2/dags/etl/details"))["is_favorite"] is False
    await either.send("POST", "/api/v2/dags/etl/unfavorite", None, 204)
    assert await favourites(True) == []
    again = await either.send("POST", "/api/v2/dags/etl/unfavorite", None, 409)
    assert again["detail"]["message"] == "Dag with id 'etl' is not marked as favorite"
    await either.send("POST", "/api/v2/dags/nope/favorite", None, 404)
    await either.send("POST", "/api/v2/dags/etl/favorite", None, 204)
    await either.send("DELETE", "/api/v2/dags/etl", None)
    assert await favourites(True) == []
