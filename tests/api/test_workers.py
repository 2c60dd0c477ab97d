"""Workers over the API: what each does, and what is wanted of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from flowd.db import nodes
from flowd.db.nodes import Node
from tests.api.cluster import Cluster
from tests.api.test_event_logs import changes, logged
from tests.support.specs import NOW

WORKERS = "/api/v2/workers"
WORKER = Node(
    id="ab12" + "0" * 28,
    name="worker1",
    host="host1",
    pid=7,
    roles=("worker",),
    queues=("default", "gpu"),
    concurrency=4,
    started_at=NOW,
)
SILENT = replace(WORKER, id="ab99" + "0" * 28, name="worker2", host="host2")


async def hello(cluster: Cluster, node: Node, *, ago_seconds: int = 0) -> None:
    async with cluster.metastore.transaction() as tx:
        await nodes.say_hello(tx, node)
        await tx.execute(
            "UPDATE node SET seen_at = seen_at - :ago WHERE id = :id", {"ago": ago_seconds * 1_000_000, "id": node.id}
        )


async def shown(cluster: Cluster, worker_id: str = "ab12") -> Mapping[str, Any]:
    worker: Mapping[str, Any] = (await cluster.get(f"{WORKERS}/{worker_id}"))["worker"]
    return worker


async def test_workers_are_listed_with_what_they_do_and_other_nodes_are_none(either: Cluster) -> None:
    await hello(either, WORKER)
    await hello(either, SILENT, ago_seconds=60)
    await hello(either, replace(WORKER, id="cd", roles=("api", "scheduler")))

    answer = await either.get(WORKERS)
    by_host = await either.get(WORKERS, order_by="-host", limit=1)

    assert answer["total_entries"] == 2
    assert [(one["id"], one["state"]) for one in answer["workers"]] == [(WORKER.id, "active"), (SILENT.id, "silent")]
    first = answer["workers"][0]
    assert (first["name"], first["queues"], first["concurrency"]) == ("worker1", ["default", "gpu"], 4)
    assert [one["host"] for one in by_host["workers"]] == ["host2"]


async def test_a_worker_is_shown_with_the_task_instances_that_it_runs(either: Cluster) -> None:
    await hello(either, WORKER)
    await hello(either, SILENT)
    instances = await either.start(await either.trigger())
    await either.claim(instances["extract"])

    here, there = [await either.get(f"{WORKERS}/{id_}") for id_ in ("ab12", "ab99")]

    assert [(one["task_id"], one["state"]) for one in here["task_instances"]] == [("extract", "running")]
    assert there["task_instances"] == []


async def test_a_worker_is_draining_until_it_has_said_that_it_runs_nothing(either: Cluster) -> None:
    await hello(either, replace(WORKER, running=2))
    states = [(await either.send("POST", f"{WORKERS}/ab12/drain", None))["state"]]
    for node in (
        replace(WORKER, running=2, is_taking_work=False),
        replace(WORKER, running=0, is_taking_work=False),
    ):
        await hello(either, node)
        states.append((await shown(either))["state"])
    await either.send("POST", f"{WORKERS}/ab12/undrain", None)
    await hello(either, WORKER)
    states.append((await shown(either))["state"])

    assert states == ["draining", "draining", "drained", "active"]
    told = [changes(entry) for name in ("drain_worker", "undrain_worker") for entry in await logged(either, event=name)]
    no, yes = {"is_to_drain": False}, {"is_to_drain": True}
    assert told == [[(f"worker {WORKER.id}", no, yes)], [(f"worker {WORKER.id}", yes, no)]]


async def test_how_many_tasks_a_worker_runs_at_a_time_is_changed(cluster: Cluster) -> None:
    await hello(cluster, WORKER)

    changed = await cluster.send("PATCH", f"{WORKERS}/ab12", {"concurrency": 9})

    assert (changed["concurrency"], changed["wanted_concurrency"]) == (4, 9)
    (entry,) = await logged(cluster, event="patch_worker")
    assert changes(entry) == [(f"worker {WORKER.id}", {"concurrency": 4}, {"concurrency": 9})]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nosuch", None, 404),
        ("GET", "/ab", None, 400),
        ("POST", "/nosuch/drain", None, 404),
        ("POST", "/ab/undrain", None, 400),
        ("PATCH", "/nosuch", {"concurrency": 1}, 404),
        ("PATCH", "/ab12", {"concurrency": -1}, 422),
        ("PATCH", "/ab12", {"concurrency": 10_001}, 422),
        ("PATCH", "/ab12", {"colour": "red"}, 422),
    ],
)
async def test_what_is_not_as_wanted_is_refused(
    cluster: Cluster, method: str, path: str, body: Any, status: int
) -> None:
    await hello(cluster, WORKER)
    await hello(cluster, SILENT)

    answer = await cluster.send(method, f"{WORKERS}{path}", body, status)

    assert answer["detail"]
    worker = await shown(cluster)
    assert (worker["state"], worker["wanted_concurrency"]) == ("active", None)
