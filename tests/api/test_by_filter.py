"""Changes by filter: nothing without a look at it, nothing that is not as it was seen, nothing that was not meant."""

from typing import Any

import pytest

from tests.api.cluster import Cluster
from tests.api.test_event_logs import logged
from tests.support.specs import a_dag, a_task

RUNS = "/api/v2/dags/{}/dagRuns/byFilter"
TASKS = "/api/v2/dags/{}/dagRuns/{}/taskInstances/byFilter"


async def failed_runs(cluster: Cluster, *names: str) -> None:
    """Runs of `etl` whose first task has failed, and which are marked so."""
    for name in names:
        instances = await cluster.start(await cluster.trigger("etl", name))
        await cluster.fail(instances["extract"])
        await cluster.send("PATCH", f"/api/v2/dags/etl/dagRuns/{name}", {"state": "failed"})


async def ask(cluster: Cluster, path: str, status: int = 200, **body: Any) -> Any:
    return await cluster.send("POST", path, body, status)


async def states(cluster: Cluster) -> dict[str, str]:
    found = (await cluster.get("/api/v2/dags/~/dagRuns"))["dag_runs"]
    return {run["dag_run_id"]: run["state"] for run in found}


async def test_what_a_filter_finds_is_shown_first_and_changed_under_its_hash(either: Cluster) -> None:
    await failed_runs(either, "one", "two")
    await either.trigger("etl", "other")
    path = f"{RUNS.format('~')}?state=failed"

    preview = await ask(either, path, action="clear")
    before = await states(either)
    done = await ask(either, path, action="clear", hash=preview["hash"])

    assert (preview["is_done"], preview["total_entries"], preview["by_dag"]) == (False, 2, {"etl": 2})
    assert sorted(preview["names"]) == ["etl.one", "etl.two"]
    assert before == {"one": "failed", "two": "failed", "other": "queued"}
    assert done == {**preview, "is_done": True}
    assert await states(either) == {"one": "queued", "two": "queued", "other": "queued"}
    entries = await logged(either, event="change_dag_runs_by_filter")
    assert len(entries) == 2 and {entry["owner"] for entry in entries} == {"op"}


async def test_runs_are_marked_and_deleted_and_what_fails_holds_up_nothing(either: Cluster) -> None:
    await failed_runs(either, "one", "two")
    running = await either.trigger("etl", "runs")
    await either.start(running)
    path = f"{RUNS.format('etl')}?run_id_pattern=%"

    marked_path = f"{RUNS.format('etl')}?state=failed"
    preview = await ask(either, marked_path, action="mark", state="success")
    await ask(either, marked_path, action="mark", state="success", hash=preview["hash"])
    marked = await states(either)
    preview = await ask(either, path, action="delete")
    deleted = await ask(either, path, action="delete", hash=preview["hash"])

    assert marked == {"one": "success", "two": "success", "runs": "running"}
    assert await states(either) == {"runs": "running"}
    (error,) = deleted["errors"]
    assert (error["name"], error["status_code"]) == ("etl.runs", 409) and "running state" in error["error"]


async def test_task_instances_are_cleared_and_marked(either: Cluster) -> None:
    await failed_runs(either, "one", "two")
    path = f"{TASKS.format('~', '~')}?state=failed&task_id=extract"

    preview = await ask(either, path, action="mark", new_state="success")
    await ask(either, path, action="mark", new_state="success", hash=preview["hash"])
    marked = (await either.get("/api/v2/dags/~/dagRuns/~/taskInstances", task_id="extract"))["task_instances"]
    of_one = f"{TASKS.format('etl', 'one')}?task_id=extract"
    preview = await ask(either, of_one, action="clear")
    cleared = await ask(either, of_one, action="clear", hash=preview["hash"])
    after = (await either.get("/api/v2/dags/~/dagRuns/~/taskInstances", task_id="extract"))["task_instances"]

    assert [one["state"] for one in marked] == ["success", "success"]
    assert cleared["names"] == ["etl.one.extract"] and cleared["errors"] == []
    assert {one["dag_run_id"]: one["state"] for one in after} == {"one": None, "two": "success"}


@pytest.mark.parametrize("what", ["one more", "another state", "another action", "another option", "no hash at all"])
async def test_nothing_is_changed_that_is_not_what_was_looked_at(cluster: Cluster, what: str) -> None:
    await failed_runs(cluster, "one")
    path = f"{RUNS.format('~')}?dag_id=etl"
    wanted: dict[str, Any] = {"action": "clear", "only_failed": True}
    hash_ = (await ask(cluster, path, **wanted))["hash"]
    match what:
        case "one more":
            await failed_runs(cluster, "two")
        case "another state":
            await cluster.send("PATCH", "/api/v2/dags/etl/dagRuns/one", {"state": "success"})
        case "another action":
            wanted = {"action": "delete"}
        case "another option":
            wanted["only_failed"] = False
        case _:
            hash_ = "no hash"
    before = await states(cluster)

    answer = await ask(cluster, path, 409, **wanted, hash=hash_)

    assert "look at it again" in str(answer["detail"])
    assert await states(cluster) == before


async def test_a_filter_that_is_not_known_is_refused_and_does_not_mean_everything(cluster: Cluster) -> None:
    await failed_runs(cluster, "one")

    for query in ("?stat=failed", "?limit=1", "?order_by=run_id"):
        await ask(cluster, RUNS.format("~") + query, 422, action="delete")
    everything = await ask(cluster, RUNS.format("~"), 400, action="delete")
    await ask(cluster, TASKS.format("~", "~"), 400, action="clear")

    assert "that is everything" in everything["detail"]
    assert (await ask(cluster, RUNS.format("etl"), action="delete"))["total_entries"] == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (RUNS.format("etl"), {"action": "mark"}),
        (RUNS.format("etl"), {"action": "clear", "state": "failed"}),
        (RUNS.format("etl"), {"action": "explode"}),
        (TASKS.format("etl", "one"), {"action": "delete"}),
        (TASKS.format("etl", "one"), {"action": "mark"}),
        (f"{RUNS.format('etl')}?state=colourful", {"action": "clear"}),
    ],
)
async def test_what_is_not_as_wanted_is_refused(cluster: Cluster, path: str, body: Any) -> None:
    assert (await cluster.send("POST", path, body, 422))["detail"]


async def test_more_than_one_request_changes_is_refused_before_anything_is(cluster: Cluster) -> None:
    async with cluster.metastore.transaction() as tx:
        (version, bundle) = (await tx.execute("SELECT version, bundle FROM dag WHERE dag_id = 'etl'")).one()
        await tx.execute(
            "INSERT INTO dag_run (dag_id, run_id, dag_version, bundle, state, version, unfinished, run_type,"
            " triggered_by, conf, run_after, queued_at) WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1"
            " FROM numbers WHERE n <= 1000) SELECT 'etl', 'r' || n, :version, :bundle, 'failed', 1, 0, 'manual',"
            " 'cli', '{}', n, n FROM numbers",
            {"version": version, "bundle": bundle},
        )

    answer = await ask(cluster, f"{RUNS.format('~')}?state=failed", 400, action="delete")

    assert answer["detail"] == "the filter finds 1001, and one request changes at most 1000: narrow it"


async def test_what_is_of_a_dag_that_may_not_be_changed_is_not_found(cluster: Cluster) -> None:
    await failed_runs(cluster, "one")
    for dag_id, access in (("readable", ["can_read"]), ("hidden", [])):
        control = {"User": access} if access else {}
        await cluster.save(a_dag(a_task("t"), dag_id=dag_id, presentation={"access_control": control}))
        await cluster.trigger(dag_id, f"of_{dag_id}")

    answer = await cluster.user.post(f"{RUNS.format('~')}?run_id_pattern=%", json={"action": "clear"})

    assert answer.status_code == 200
    assert answer.json()["names"] == ["etl.one"]
