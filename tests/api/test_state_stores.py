"""What task instances and assets keep, over the API."""

from datetime import timedelta
from typing import Any

import pytest

from flowd.db import assets, state_store
from flowd.domain.assets import AssetSpec
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

STORE = "/api/v2/dags/etl/dagRuns/one/taskInstances/extract/state-store"


async def an_asset(cluster: Cluster) -> int:
    """The id of the asset `orders`, which a DAG declares."""
    await cluster.save(a_dag(a_task("t", outlets=(AssetSpec(name="orders", uri="s3://orders"),)), dag_id="maker"))
    async with cluster.metastore.reading() as tx:
        return await assets.id_of(tx, "orders")


async def test_a_task_instance_keeps_values_and_forgets_them(either: Cluster) -> None:
    await either.start(await either.trigger())

    await either.send("PUT", f"{STORE}/place/so far", {"value": {"page": 3}}, 204)
    await either.send("PUT", f"{STORE}/b", {"value": 1, "expires_at": "2999-01-01T00:00:00Z"}, 204)
    await either.send("PATCH", f"{STORE}/b", {"value": "two"})

    listed = await either.get(STORE, limit=1)
    assert (listed["total_entries"], [one["key"] for one in listed["task_state_store"]]) == (2, ["b"])
    b = await either.get(f"{STORE}/b")
    assert (b["value"], b["expires_at"]) == ("two", "2999-01-01T00:00:00Z")
    assert (await either.get(f"{STORE}/place/so far"))["value"] == {"page": 3}
    await either.send("DELETE", f"{STORE}/b", None, 204)
    await either.send("DELETE", f"{STORE}/b", None, 204)
    assert (await either.get(f"{STORE}/b", 404))["detail"] == "Task state store key 'b' not found"
    await either.send("DELETE", STORE, None, 204)
    assert await either.get(STORE) == {"task_state_store": [], "total_entries": 0}


async def test_what_has_expired_is_not_there(cluster: Cluster) -> None:
    instances = await cluster.start(await cluster.trigger())
    async with cluster.metastore.transaction() as tx:
        before = await tx.now() - timedelta(hours=2)
        await state_store.set_of_task(tx, instances["extract"].key, "old", 1, before, timedelta(hours=1))

    assert (await cluster.get(STORE))["total_entries"] == 0
    assert (await cluster.get(f"{STORE}/old", 404))["detail"] == "Task state store key 'old' not found"
    assert "not found" in (await cluster.send("PATCH", f"{STORE}/old", {"value": 2}, 404))["detail"]


async def test_every_map_index_forgets_at_once(cluster: Cluster) -> None:
    instances = await cluster.start(await cluster.trigger())
    async with cluster.metastore.transaction() as tx:
        await tx.execute("UPDATE task_instance SET map_index = 0 WHERE id = :key", {"key": instances["extract"].key})
    await cluster.send("PUT", f"{STORE}/k?map_index=0", {"value": 1}, 204)

    assert (await cluster.send("DELETE", STORE, None, 404))["detail"]
    await cluster.send("DELETE", f"{STORE}?all_map_indices=true", None, 204)

    assert (await cluster.get(STORE, map_index=0))["total_entries"] == 0


async def test_an_asset_keeps_values_and_knows_who_wrote_them(either: Cluster) -> None:
    asset = await an_asset(either)
    store = f"/api/v2/assets/{asset}/state-store"
    instances = await either.start(await either.trigger())
    async with either.metastore.transaction() as tx:
        await state_store.set_of_asset(tx, asset, "mark", 7, await tx.now(), instances["load"].key)

    await either.send("PUT", f"{store}/seen/upto", {"value": "x"}, 204)

    mark, seen = (await either.get(store))["asset_state_store"]
    assert mark["last_updated_by"] == {
        "kind": "task", "dag_id": "etl", "run_id": "one", "task_id": "load", "map_index": -1
    }  # fmt: skip
    assert (seen["key"], seen["value"], seen["last_updated_by"]["kind"]) == ("seen/upto", "x", "api")
    await either.send("DELETE", f"{store}/mark", None, 204)
    assert (await either.get(f"{store}/mark", 404))["detail"] == "Asset state store key 'mark' not found"
    await either.send("DELETE", store, None, 204)
    assert (await either.get(store))["total_entries"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", f"{STORE}/k", {"value": None}, 422),
        ("PUT", f"{STORE}/k", {"value": 1, "expires_at": "2001-01-01T00:00:00Z"}, 422),
        ("PUT", f"{STORE}/k", {"value": 1, "colour": "red"}, 422),
        ("PUT", f"{STORE}/{'k' * 501}", {"value": 1}, 422),
        ("PATCH", f"{STORE}/k", {"value": 1}, 404),
        ("PUT", f"{STORE}/k?map_index=5", {"value": 1}, 404),
        ("PUT", "/api/v2/assets/99/state-store/k", {"value": 1}, 404),
        ("DELETE", "/api/v2/assets/99/state-store", None, 404),
        ("GET", "/api/v2/assets/99/state-store", None, 404),
    ],
)
async def test_what_cannot_be_kept_is_refused(cluster: Cluster, method: str, path: str, body: Any, status: int) -> None:
    await cluster.start(await cluster.trigger())

    assert (await cluster.send(method, path, body, status))["detail"]
    assert (await cluster.get(STORE))["total_entries"] == 0
