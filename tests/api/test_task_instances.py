"""Task instances: lists, tries, reasons, clearing and marking."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flowd.domain.task_events import Failed
from tests.api.cluster import TOKEN, Cluster, with_retries
from tests.api.conftest import ETL

RUN = "/api/v2/dags/etl/dagRuns/one"
TASKS = f"{RUN}/taskInstances"


async def test_a_task_instance_is_answered_in_airflows_shape(either: Cluster) -> None:
    instances = await either.start(await either.trigger())
    await either.succeed(instances["extract"], 3)

    one = await either.get(f"{TASKS}/extract")
    waiting = await either.get(f"{TASKS}/load")

    assert (one["state"], one["try_number"], one["hostname"], one["operator"]) == (
        "success",
        1,
        "worker1",
        "BashOperator",
    )
    assert (one["map_index"], one["pool"], one["queue"], one["executor_config"]) == (
        -1,
        "default_pool",
        "default",
        "{}",
    )
    assert UUID(one["id"]).int == instances["extract"].key
    assert one["duration"] >= 0 and one["run_after"].endswith("Z")
    assert (waiting["state"], waiting["try_number"], waiting["task_display_name"]) == (None, 0, "Load it")
    assert await either.get(f"{TASKS}/extract/-1") == one


async def test_task_instances_are_filtered_by_state_pool_queue_and_run(either: Cluster) -> None:
    instances = await either.start(await either.trigger())
    await either.claim(instances["extract"])
    await either.start(await either.trigger(run_id="two"))

    async def ids(path: str = TASKS, **params: Any) -> list[tuple[str, str]]:
        found = (await either.get(path, **params))["task_instances"]
        return [(one["dag_run_id"], one["task_id"]) for one in found]

    everywhere = "/api/v2/dags/~/dagRuns/~/taskInstances"
    assert await ids(state="running") == [("one", "extract")]
    assert await ids(state="none") == [("one", "load")]
    assert await ids(everywhere, state="running") == [("one", "extract")]
    assert await ids(everywhere, task_id="load", order_by="-id") == [("two", "load"), ("one", "load")]
    assert await ids(everywhere, pool="other") == []
    assert await ids(everywhere, queue_name_pattern="DEFAULT", run_id_pattern="tw") == [
        ("two", "extract"),
        ("two", "load"),
    ]
    await either.get("/api/v2/dags/etl/dagRuns/none/taskInstances", 404)


async def test_a_batch_list_names_its_wishes_in_its_body(either: Cluster) -> None:
    instances = await either.start(await either.trigger())
    await either.claim(instances["extract"])

    body = {"dag_ids": ["etl"], "state": ["running", None], "order_by": "-id", "page_limit": 1}
    batch = await either.send("POST", "/api/v2/dags/~/dagRuns/~/taskInstances/list", body)

    assert ([one["task_id"] for one in batch["task_instances"]], batch["total_entries"]) == (["load"], 2)
    await either.send("POST", "/api/v2/dags/~/dagRuns/one/taskInstances/list", {}, 400)


async def test_an_unknown_task_instance_is_404(cluster: Cluster) -> None:
    await cluster.start(await cluster.trigger())

    for path in ("nope", "extract/3", "nope/tries", "nope/logs/1", "nope/xcomEntries/x"):
        await cluster.get(f"{TASKS}/{path}", 404)
    missing = await cluster.get(f"{TASKS}/extract/3", 404)
    assert missing["detail"] == (
        "The Task Instance with dag_id: `etl`, run_id: `one` and task_id: `extract`, map_index: `3` was not found"
    )


async def test_every_try_is_kept_with_its_end(either: Cluster) -> None:
    await either.save(with_retries(ETL, 1))
    instances = await either.start(await either.trigger())
    retrying = await either.happen(
        await either.claim(instances["extract"]), Failed(TOKEN, timedelta()), error="first time"
    )
    await either.succeed(retrying)

    tries = await either.get(f"{TASKS}/extract/tries")

    assert [(one["try_number"], one["state"]) for one in tries["task_instances"]] == [(1, "failed"), (2, "success")]
    assert await either.get(f"{TASKS}/extract/tries/1") == tries["task_instances"][0]
    assert await either.get(f"{TASKS}/extract/-1/tries") == tries
    assert await either.get(f"{TASKS}/extract/-1/tries/2") == tries["task_instances"][1]
    assert (await either.get(f"{TASKS}/load/tries"))["task_instances"] == []
    await either.get(f"{TASKS}/extract/tries/7", 404)


async def test_the_reasons_why_a_task_waits_are_told(either: Cluster) -> None:
    await either.start(await either.trigger())
    await either.send("PATCH", "/api/v2/dags/etl", {"is_paused": True})

    why = await either.get(f"{TASKS}/load/why")
    dependencies = await either.get(f"{TASKS}/load/dependencies")

    assert why["state"] is None
    assert why["reasons"] == [
        "DAG 'etl' is paused; unpause it with: flowd dags unpause etl",
        "trigger rule all_success: 1 of 1 upstream tasks is not done",
    ]
    assert [one["reason"] for one in dependencies["dependencies"]] == why["reasons"]
    assert await either.get(f"{TASKS}/load/-1/dependencies") == dependencies


async def test_why_answers_for_a_task_of_a_run_that_no_scheduler_has_started(cluster: Cluster) -> None:
    await cluster.trigger()

    why = await cluster.get(f"{TASKS}/load/why")

    assert why == {"state": None, "reasons": ["its run is queued: no scheduler has started it yet"]}


async def test_failed_tasks_are_cleared_with_what_follows_them(either: Cluster) -> None:
    instances = await either.start(await either.trigger())
    await either.fail(instances["extract"])
    clear = {"dag_run_id": "one", "task_ids": ["extract"], "include_downstream": True}

    dry = await either.send("POST", "/api/v2/dags/etl/clearTaskInstances", clear)
    done = await either.send("POST", "/api/v2/dags/etl/clearTaskInstances", clear | {"dry_run": False})

    assert [(one["task_id"], one["state"]) for one in dry["task_instances"]] == [("extract", "failed")]
    assert [(one["task_id"], one["state"]) for one in done["task_instances"]] == [("extract", None)]


async def test_a_clear_that_is_not_as_wanted_is_refused(cluster: Cluster) -> None:
    path = "/api/v2/dags/etl/clearTaskInstances"
    instances = await cluster.start(await cluster.trigger())
    await cluster.claim(instances["extract"])

    await cluster.send("POST", path, {"dag_run_id": "none"}, 404)
    await cluster.send("POST", path, {"dag_run_id": "one", "task_ids": ["nope"]}, 400)
    pair = await cluster.send("POST", path, {"dag_run_id": "one", "task_ids": [["a", "b", "c"]]}, 400)
    body = {"dag_run_id": "one", "only_failed": False, "prevent_running_task": True, "dry_run": False}
    running = await cluster.send("POST", path, body, 409)

    assert pair["detail"].startswith("task_ids holds ['a', 'b', 'c']; wanted a task id")
    assert running["detail"]["message"] == "these tasks are running, and prevent_running_task is true: extract"
    assert (await cluster.get(f"{TASKS}/extract"))["state"] == "running"


async def test_a_task_is_marked_with_those_above_it_and_a_dry_run_only_says_so(either: Cluster) -> None:
    await either.start(await either.trigger())
    body = {"new_state": "success", "include_upstream": True}

    dry = await either.send("PATCH", f"{TASKS}/load/dry_run", body)
    before = await either.get(f"{TASKS}/load")
    marked = await either.send("PATCH", f"{TASKS}/load", body)

    assert [one["task_id"] for one in dry["task_instances"]] == ["extract", "load"]
    assert before["state"] is None
    assert {one["task_id"]: one["state"] for one in marked["task_instances"]} == {
        "extract": "success",
        "load": "success",
    }


async def test_a_mark_reaches_later_runs_where_it_is_told_to(either: Cluster) -> None:
    await either.start(await either.trigger())
    await either.start(await either.trigger(run_id="two"))
    await either.start(await either.trigger(run_id="three"))

    marked = await either.send(
        "PATCH", "/api/v2/dags/etl/dagRuns/two/taskInstances/load", {"new_state": "skipped", "include_future": True}
    )

    assert [one["dag_run_id"] for one in marked["task_instances"]] == ["two", "three"]
    assert (await either.get(f"{TASKS}/load"))["state"] is None


async def test_a_mark_that_is_not_as_wanted_is_refused(cluster: Cluster) -> None:
    await cluster.start(await cluster.trigger())

    await cluster.send("PATCH", f"{TASKS}/load", {"new_state": "running"}, 422)
    await cluster.send("PATCH", f"{TASKS}/load", {"new_state": "failed", "colour": "red"}, 422)
    await cluster.send("PATCH", f"{TASKS}/nope", {"new_state": "failed"}, 404)
    await cluster.send("PATCH", f"{TASKS}/load/4", {"new_state": "failed"}, 404)
    await cluster.send("PATCH", f"{TASKS}/load/4/dry_run", {"new_state": "failed"}, 404)


async def test_xcoms_are_listed_without_and_shown_with_their_values(either: Cluster) -> None:
    instances = await either.start(await either.trigger())
    await either.succeed(instances["extract"], {"rows": 3})

    listed = await either.get(f"{TASKS}/extract/xcomEntries")
    everywhere = await either.get("/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries", xcom_key="return_value")
    native = await either.get(f"{TASKS}/extract/xcomEntries/return_value")
    text = await either.get(f"{TASKS}/extract/xcomEntries/return_value", stringify=True)

    assert [one["key"] for one in listed["xcom_entries"]] == ["return_value"]
    assert "value" not in listed["xcom_entries"][0] and everywhere == listed
    assert (native["value"], text["value"]) == ({"rows": 3}, '{"rows": 3}')
    missing = await either.get(f"{TASKS}/extract/xcomEntries/other", 404)
    assert missing == {"detail": "XCom entry with key: `other` not found"}
