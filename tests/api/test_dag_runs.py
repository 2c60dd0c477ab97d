"""Runs: trigger, list, clear, mark, wait."""

import asyncio
import json
from typing import Any

import pytest

from flowd.actions.mark import mark_run
from flowd.domain.ids import DagId, RunId
from flowd.domain.states import RunState
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

RUNS = "/api/v2/dags/etl/dagRuns"


async def test_a_trigger_is_answered_with_the_new_run(either: Cluster) -> None:
    body = {"logical_date": "2026-01-02T03:04:05+01:00", "conf": {"day": 1}, "note": "hello", "dag_run_id": "mine"}

    run = await either.send("POST", RUNS, body)

    assert (run["dag_run_id"], run["state"], run["run_type"], run["triggered_by"]) == (
        "mine",
        "queued",
        "manual",
        "rest_api",
    )
    assert (run["conf"], run["note"], run["triggering_user_name"]) == ({"day": 1}, "hello", "op")
    assert run["logical_date"] == run["data_interval_start"] == run["data_interval_end"] == "2026-01-02T02:04:05Z"
    assert [version["version_number"] for version in run["dag_versions"]] == [1]
    assert await either.get(f"{RUNS}/mine") == run


async def test_the_same_idempotency_key_gives_the_same_run(either: Cluster) -> None:
    headers: Any = {"Idempotency-Key": "k1"}

    first = await either.send("POST", RUNS, {"logical_date": None}, **headers)
    second = await either.send("POST", RUNS, {"logical_date": None}, **headers)

    assert first == second
    assert (await either.get(RUNS))["total_entries"] == 1


async def test_a_taken_run_id_is_409_in_airflows_shape(either: Cluster) -> None:
    await either.trigger(run_id="one")

    answer = await either.send("POST", RUNS, {"logical_date": None, "dag_run_id": "one"}, 409)

    assert set(answer["detail"]) == {"reason", "statement", "orig_error", "message"}
    assert answer["detail"]["reason"] == "Unique constraint violation"
    assert answer["detail"]["message"].startswith("DAG 'etl' has a run with the id 'one'")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"logical_date": "soon"}, 422),
        ({"logical_date": None, "conf": "text"}, 422),
        ({"logical_date": None, "colour": "red"}, 422),
        ({"logical_date": None, "note": "x" * 1001}, 422),
        ({"logical_date": None, "data_interval_start": "2026-01-01T00:00:00Z"}, 422),
        ({"logical_date": None, "dag_run_id": "a/b"}, 400),
        ({"logical_date": None, "dag_run_id": ""}, 400),
        (
            {
                "logical_date": None,
                "data_interval_start": "2026-01-02T00:00:00Z",
                "data_interval_end": "2026-01-01T00:00:00Z",
            },
            400,
        ),
    ],
)
async def test_a_trigger_that_is_not_as_wanted_makes_no_run(cluster: Cluster, body: Any, status: int) -> None:
    await cluster.send("POST", RUNS, body, status)

    assert (await cluster.get(RUNS))["total_entries"] == 0


async def test_a_body_that_is_no_json_is_422(cluster: Cluster) -> None:
    answer = await cluster.user.post(RUNS, content=b"{nope", headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, "json_invalid")


async def test_runs_are_filtered_by_state_type_and_conf(either: Cluster) -> None:
    await either.start(await either.trigger(run_id="a", conf={"town": "Basel"}))
    await either.trigger(run_id="b")

    async def ids(**params: Any) -> list[str]:
        return [run["dag_run_id"] for run in (await either.get(RUNS, **params))["dag_runs"]]

    assert await ids(state="running") == ["a"]
    assert await ids(state=["running", "queued"]) == ["a", "b"]
    assert await ids(conf_contains="basel") == ["a"]
    assert await ids(run_type="scheduled") == []
    assert await ids(run_id_pattern="B") == ["b"]
    assert await ids(dag_version=1, order_by="-id") == ["b", "a"]


async def test_a_batch_list_names_dags_and_states_in_its_body(either: Cluster) -> None:
    await either.save(a_dag(a_task("t"), dag_id="other", file="other.py"))
    await either.trigger(run_id="a")
    await either.trigger("other", run_id="b")

    batch = await either.send("POST", "/api/v2/dags/~/dagRuns/list", {"dag_ids": ["other"], "states": ["queued"]})
    narrow = await either.send("POST", "/api/v2/dags/etl/dagRuns/list", {}, 400)

    assert [run["dag_run_id"] for run in batch["dag_runs"]] == ["b"]
    assert narrow["detail"] == "the dag_id in the path is 'etl'; wanted ~, and those meant in the body"


async def test_a_run_is_marked_and_noted(either: Cluster) -> None:
    await either.start(await either.trigger())

    failed = await either.send("PATCH", f"{RUNS}/one", {"state": "failed", "note": "given up"})
    masked = await either.send("PATCH", f"{RUNS}/one?update_mask=note", {"state": "success", "note": None})

    assert (failed["state"], failed["note"]) == ("failed", "given up")
    assert failed["duration"] is not None
    assert (masked["state"], masked["note"]) == ("failed", None)
    await either.send("PATCH", f"{RUNS}/one?update_mask=colour", {}, 400)
    await either.send("PATCH", f"{RUNS}/one", {"state": "running"}, 422)
    await either.send("PATCH", f"{RUNS}/none", {"state": "failed"}, 404)


async def test_a_dry_clear_says_what_a_clear_then_does(either: Cluster) -> None:
    instances = await either.start(await either.trigger())
    await either.fail(instances["extract"])

    dry = await either.send("POST", f"{RUNS}/one/clear", {"only_failed": True})
    still = await either.get(f"{RUNS}/one/taskInstances/extract")
    run = await either.send("POST", f"{RUNS}/one/clear", {"only_failed": True, "dry_run": False, "note": "again"})

    assert [one["task_id"] for one in dry["task_instances"]] == ["extract"]
    assert still["state"] == "failed"
    assert (run["dag_run_id"], run["note"]) == ("one", "again")
    assert (await either.get(f"{RUNS}/one/taskInstances/extract"))["state"] is None
    await either.send("POST", f"{RUNS}/one/clear", {"only_new": True}, 400)


async def test_waiting_streams_states_until_the_run_ends_with_what_its_tasks_returned(cluster: Cluster) -> None:
    run = await cluster.trigger()
    instances = await cluster.start(run)
    await cluster.succeed(instances["extract"], {"rows": 3})

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(cluster.viewer.get(f"{RUNS}/one/wait?interval=60&result=extract"))
        await cluster.clock.slept.wait()
        await mark_run(cluster.backends, DagId("etl"), RunId("one"), RunState.SUCCESS)

    lines = [json.loads(line) for line in waiting.result().text.splitlines()]
    assert waiting.result().headers["Content-Type"] == "application/x-ndjson"
    assert lines[0] == {"state": "running"}
    assert lines[-1] == {"state": "success", "results": {"extract": {"rows": 3}}}
    assert (await cluster.viewer.get(f"{RUNS}/none/wait")).status_code == 404
