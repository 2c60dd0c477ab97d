"""Mapped tasks in the API and on pages: their instances by map index, by name, and what is not there."""

from typing import Any

import httpx
import pytest

from flowd.db.ledger import map_names
from flowd.logs.paths import log_path
from tests.api.cluster import Cluster
from tests.api.mapped_tasks import MAPPED, start_mapped
from tests.api.test_airflow_client import absent_fields, parsed
from tests.api.test_dashboard import browser, problems_of

__all__ = ["browser"]

PAGES = "/dags/mapped/runs/one"
SHAPES = {
    "m/listMapped": "TaskInstanceCollectionResponse",
    "m/1": "TaskInstanceResponse",
    "m/1/tries": "TaskInstanceHistoryCollectionResponse",
    "m/1/tries/1": "TaskInstanceHistoryResponse",
    "m/1/dependencies": "TaskDependencyCollectionResponse",
    "m/logs/1?map_index=1": "TaskInstancesLogResponse",
}


async def test_map_indexes_are_shown_ordered_and_sought_by_their_names(either: Cluster) -> None:
    instances = await start_mapped(either, 12)
    async with either.metastore.transaction() as tx:
        await map_names.keep(tx, {instances[0].key: "south", instances[1].key: "north"})

    async def names(**params: Any) -> list[str | None]:
        found = (await either.get(f"{MAPPED}/m/listMapped", **params))["task_instances"]
        return [one["rendered_map_index"] for one in found]

    numbers = [str(index) for index in range(2, 12)]
    assert await names() == ["south", "north", *numbers]
    assert await names(order_by="rendered_map_index") == ["north", "south", *numbers]
    assert await names(rendered_map_index_pattern="NO") == ["north"]
    assert await names(rendered_map_index_prefix_pattern="1") == ["10", "11"]
    assert (await either.get(f"{MAPPED}/m/0"))["rendered_map_index"] == "south"
    assert (await either.get(f"{MAPPED}/plain"))["rendered_map_index"] is None


async def test_tasks_that_are_mapped_and_those_of_mapped_groups_say_so(cluster: Cluster) -> None:
    await start_mapped(cluster)

    tasks = (await cluster.get("/api/v2/dags/mapped/tasks"))["tasks"]
    one = await cluster.get("/api/v2/dags/mapped/tasks/g.x")

    assert {task["task_id"]: task["is_mapped"] for task in tasks} == {"m": True, "g.x": True, "plain": False}
    assert one["is_mapped"] is True


async def test_every_map_index_has_its_own_state_tries_and_log(cluster: Cluster) -> None:
    instances = await start_mapped(cluster)
    await cluster.succeed(instances[0])
    await cluster.fail(instances[1], error="no rows")
    path = log_path(cluster.settings.logs.folder, "mapped", "one", "m", 1, 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"2026-01-01T12:00:00.000001Z o of index 1\n")

    listed = await cluster.get(f"{MAPPED}/m/listMapped", limit=2)
    tries = await cluster.get(f"{MAPPED}/m/1/tries")
    log = await cluster.get(f"{MAPPED}/m/logs/1", map_index=1)

    assert [(one["map_index"], one["state"]) for one in listed["task_instances"]] == [(0, "success"), (1, "failed")]
    assert listed["total_entries"] == 3
    assert [(one["map_index"], one["error"]) for one in tries["task_instances"]] == [(1, "no rows")]
    assert await cluster.get(f"{MAPPED}/m/tries", map_index=1) == tries
    assert await cluster.get(f"{MAPPED}/m/1/tries/1") == tries["task_instances"][0]
    assert log["content"][0]["event"] == "of index 1"
    assert (await cluster.get(f"{MAPPED}/m/1/dependencies"))["dependencies"][0]["reason"] == "try 1 failed: no rows"
    assert (await cluster.get(f"{MAPPED}/m/2/dependencies"))["dependencies"] != []


@pytest.mark.parametrize("path", SHAPES)
async def test_airflows_client_reads_what_is_said_of_map_indexes(cluster: Cluster, path: str) -> None:
    instances = await start_mapped(cluster)
    await cluster.fail(instances[1], error="no rows")

    answer = await cluster.viewer.get(f"{MAPPED}/{path}")

    assert answer.status_code == 200, answer.text
    assert absent_fields(parsed(SHAPES[path], answer.text), answer.json()) == set()


async def test_what_is_not_mapped_or_has_no_such_index_is_not_found(cluster: Cluster) -> None:
    await start_mapped(cluster)

    async def detail(path: str) -> str:
        return str((await cluster.get(f"{MAPPED}/{path}", 404))["detail"])

    name = "The Task Instance with dag_id: `mapped`, run_id: `one` and task_id: `m`"
    assert await detail("m") == f"{name} is mapped: add one of the map indexes 0 to 2"
    assert await detail("m/tries") == f"{name} is mapped: add one of the map indexes 0 to 2"
    assert await detail("m/dependencies") == f"{name} is mapped: add one of its map indexes"
    assert await detail("m/7/dependencies") == f"{name}, map_index: `7` was not found"
    assert await detail("plain/listMapped") == "Task id plain is not mapped"
    assert await detail("nope/listMapped") == "Task id nope not found"
    for path in ("m/3", "m/3/tries", "m/3/tries/1", "m/1/tries/1", "m/logs/1?map_index=3", "plain/0/dependencies"):
        await detail(path)
    assert (await cluster.get(f"{MAPPED}/g.x/listMapped"))["total_entries"] == 0


async def test_pages_show_the_map_indexes_of_a_task_by_their_names(
    cluster: Cluster, browser: httpx.AsyncClient
) -> None:
    instances = await start_mapped(cluster, 120)
    await cluster.fail(instances[1])
    async with cluster.metastore.transaction() as tx:
        await map_names.keep(tx, {instances[1].key: "<north>"})

    whole = await browser.get(f"{PAGES}/tasks/m")
    listed = (await browser.get(f"{PAGES}/tasks/m/mapped")).text
    further = (await browser.get(f"{PAGES}/tasks/m/mapped?offset=100")).text
    one = (await browser.get(f"{PAGES}/tasks/m/mapped/1")).text
    run = (await browser.get(PAGES)).text

    assert (whole.status_code, whole.headers["Location"]) == (303, f"{PAGES}/tasks/m/mapped")
    assert f'<a href="{PAGES}/tasks/m/mapped/1">m[&lt;north&gt;]</a>' in listed and 'title="1 failed"' in listed
    assert "m[99]" in listed and "m[100]" not in listed and "m[119]" in further
    assert "m[&lt;north&gt;]" in one and f'href="{PAGES}/tasks/m/mapped"' in one and "m[&lt;north&gt;]" in run
    assert [problems_of(page) for page in (listed, further, one, run)] == [[], [], [], []]
    for path in ("tasks/m/mapped/200", "tasks/plain/mapped", "tasks/nope/mapped"):
        assert (await browser.get(f"{PAGES}/{path}")).status_code == 404
