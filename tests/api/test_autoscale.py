"""Advice on how many workers are wanted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from flowd.domain.task_events import Queued, Scheduled
from tests.api.cluster import Cluster
from tests.api.test_workers import SILENT, WORKER, hello
from tests.support.specs import a_dag, a_task

ADVICE = "/api/v2/autoscale"


async def advice(cluster: Cluster, **params: Any) -> Mapping[str, Mapping[str, Any]]:
    return {one["queue"]: one for one in (await cluster.get(ADVICE, **params))["queues"]}


async def fill(cluster: Cluster, queued: int, running: int, queue: str = "default") -> None:
    """Let so many task instances be queued and so many run, and one more only be scheduled."""
    total = queued + running + 1
    await cluster.save(a_dag(*(a_task(f"t{n}", queue=queue) for n in range(total)), dag_id=f"in_{queue}"))
    instances = list((await cluster.start(await cluster.trigger(f"in_{queue}"))).values())
    for one in instances[:queued]:
        await cluster.happen(one, Scheduled(), Queued())
    await cluster.happen(instances[-1], Scheduled())
    for one in instances[queued:-1]:
        await cluster.claim(one)


async def test_a_queue_is_worth_as_many_workers_as_run_its_tasks_at_once(either: Cluster) -> None:
    await fill(either, queued=5, running=2)
    await fill(either, queued=3, running=0, queue="gpu")
    await hello(either, replace(WORKER, queues=("default",), running=2))
    await hello(either, SILENT, ago_seconds=60)

    found = await advice(either)
    narrow = await advice(either, slots_per_worker=2)

    default, gpu = found["default"], found["gpu"]
    assert (default["queued"], default["running"], default["workers"], default["free_slots"]) == (5, 2, 1, 2)
    assert (default["slots_per_worker"], default["wanted_workers"]) == (4, 2)
    assert default["reason"] == "7 tasks, 4 at a time on each worker"
    assert default["oldest_queued_seconds"] >= 0
    assert (gpu["workers"], gpu["slots_per_worker"], gpu["wanted_workers"]) == (0, 4, 1), "slots as elsewhere"
    assert {name: one["wanted_workers"] for name, one in narrow.items()} == {"default": 4, "gpu": 2}


async def test_without_any_worker_its_slots_are_what_the_configuration_says(cluster: Cluster) -> None:
    await fill(cluster, queued=17, running=0)

    found = (await advice(cluster))["default"]

    assert (found["slots_per_worker"], found["wanted_workers"]) == (cluster.settings.worker.concurrency, 2)


async def test_workers_that_drain_or_run_other_queues_leave_a_queue_in_want(cluster: Cluster) -> None:
    await fill(cluster, queued=1, running=0)
    await hello(cluster, replace(WORKER, running=4))
    before = (await advice(cluster, patience_seconds=3600))["default"]
    held_up = (await advice(cluster, patience_seconds=0))["default"]
    await cluster.send("POST", "/api/v2/workers/ab12/drain", None)
    drained = (await advice(cluster))["default"]

    assert (before["workers"], before["free_slots"], before["wanted_workers"]) == (1, 0, 1)
    assert held_up["wanted_workers"] == 2
    assert held_up["reason"].endswith("no slot is free: other queues hold these workers")
    assert (drained["workers"], drained["wanted_workers"]) == (0, 1)


@pytest.mark.parametrize(
    "params",
    [{"slots_per_worker": 0}, {"slots_per_worker": 10_001}, {"patience_seconds": -1}, {"slots_per_worker": "x"}],
)
async def test_what_is_not_as_wanted_is_refused(cluster: Cluster, params: Mapping[str, Any]) -> None:
    await cluster.get(ADVICE, 422, **params)
