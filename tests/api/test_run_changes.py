"""Deleting runs and DAGs, and changing or clearing many runs at once, over the API."""

from typing import Any

import pytest

from flowd.actions import delete
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

RUNS = "/api/v2/dags/etl/dagRuns"


async def counts(cluster: Cluster) -> dict[str, int]:
    async with cluster.metastore.reading() as tx:
        tables = ("dag", "dag_version", "dag_run", "task_instance", "task_transition", "xcom", "backfill", "asset_use")
        return {name: (await tx.execute(f"SELECT COUNT(*) FROM {name}")).scalar_one() for name in tables}


async def test_a_run_is_deleted_with_all_that_is_of_it_unless_it_runs(either: Cluster) -> None:
    instances = await either.start(await either.trigger())
    await either.succeed(instances["extract"], {"rows": 3})
    await either.trigger(run_id="queued")

    running = await either.send("DELETE", f"{RUNS}/one", None, 409)
    await either.send("PATCH", f"{RUNS}/one", {"state": "failed"})
    await either.send("DELETE", f"{RUNS}/one", None, 204)
    await either.send("DELETE", f"{RUNS}/queued", None, 204)

    assert running["detail"]["message"].endswith("cannot be deleted in running state")
    assert (await either.send("DELETE", f"{RUNS}/one", None, 404))["detail"].endswith("was not found")
    left = await counts(either)
    assert (left["dag_run"], left["task_instance"], left["task_transition"], left["xcom"]) == (0, 0, 0, 0)
    assert left["dag"] == 1


async def test_a_dag_is_deleted_with_its_runs_versions_and_backfills(
    either: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delete, "BATCH", 2)
    await either.save(a_dag(a_task("t"), dag_id="other", file="other.py"))
    await either.save(a_dag(a_task("t"), dag_id="etl"))
    for number in range(5):
        await either.trigger(run_id=f"r{number}")
    await either.start(await either.trigger(run_id="begun"))
    await either.trigger("other", "mine")

    await either.send("DELETE", "/api/v2/dags/etl", None)

    await either.get("/api/v2/dags/etl", 404)
    assert (await either.send("DELETE", "/api/v2/dags/etl", None, 404))["detail"].startswith("The Dag with ID: `etl`")
    left = await counts(either)
    assert (left["dag"], left["dag_version"], left["dag_run"]) == (1, 1, 1)


async def test_a_dag_with_a_running_task_stays_but_is_paused(cluster: Cluster) -> None:
    instances = await cluster.start(await cluster.trigger())
    await cluster.claim(instances["extract"])

    refused = await cluster.send("DELETE", "/api/v2/dags/etl", None, 409)

    assert refused["detail"]["message"] == "Task instances of dag with id: 'etl' are still running"
    assert (await cluster.get(RUNS))["total_entries"] == 1
    assert (await cluster.get("/api/v2/dags/etl"))["is_paused"] is True


async def test_many_runs_are_changed_and_deleted_each_answered_for_itself(cluster: Cluster) -> None:
    for run_id in ("one", "two", "three"):
        await cluster.start(await cluster.trigger(run_id=run_id))

    answer = await cluster.send(
        "PATCH",
        RUNS,
        {
            "actions": [
                {"action": "update", "entities": [{"dag_run_id": "one", "state": "failed", "note": "no"}]},
                {"action": "update", "entities": [{"dag_run_id": "two", "note": "two"}], "update_mask": ["note"]},
                {"action": "delete", "entities": ["one", "three"]},
                {"action": "create", "entities": [{"dag_run_id": "four"}]},
            ]
        },
    )

    assert answer["update"] == {"success": ["etl.one", "etl.two"], "errors": []}
    assert answer["delete"]["success"] == ["etl.one"]
    assert [error["status_code"] for error in answer["delete"]["errors"]] == [409]
    assert [error["status_code"] for error in answer["create"]["errors"]] == [405]
    assert {run["dag_run_id"]: run["note"] for run in (await cluster.get(RUNS))["dag_runs"]} == {
        "two": "two",
        "three": None,
    }


async def test_with_a_wildcard_each_run_names_its_dag(cluster: Cluster) -> None:
    await cluster.trigger()
    everywhere = "/api/v2/dags/~/dagRuns"
    note = {"action": "update", "entities": [{"dag_id": "etl", "dag_run_id": "one", "note": "here"}]}
    nameless = {"action": "update", "entities": [{"dag_run_id": "one", "note": "where?"}]}

    assert (await cluster.send("PATCH", everywhere, {"actions": [note]}))["update"]["success"] == ["etl.one"]
    refused = await cluster.send("PATCH", everywhere, {"actions": [nameless]}, 400)
    assert refused["detail"] == "the path names no dag_id; wanted one in the body"
    elsewhere = await cluster.send("PATCH", "/api/v2/dags/other/dagRuns", {"actions": [note]}, 400)
    assert elsewhere["detail"] == "the path names the dag_id 'other', and the body 'etl'"
    assert (await cluster.get(f"{RUNS}/one"))["note"] == "here"


async def test_several_runs_are_cleared_together_or_none(cluster: Cluster) -> None:
    for run_id in ("one", "two"):
        instances = await cluster.start(await cluster.trigger(run_id=run_id))
        await cluster.fail(instances["extract"])
        await cluster.send("PATCH", f"{RUNS}/{run_id}", {"state": "failed"})
    both = {"dag_runs": [{"dag_run_id": "one"}, {"dag_run_id": "two"}], "only_failed": True}

    dry = await cluster.send("POST", "/api/v2/dags/etl/clearDagRuns", both)
    missing = {**both, "dry_run": False, "dag_runs": [{"dag_run_id": "one"}, {"dag_run_id": "gone"}]}
    await cluster.send("POST", "/api/v2/dags/etl/clearDagRuns", missing, 404)
    states = [run["state"] for run in (await cluster.get(RUNS))["dag_runs"]]
    cleared = await cluster.send("POST", "/api/v2/dags/etl/clearDagRuns", {**both, "dry_run": False, "note": "again"})

    assert [(one["dag_run_id"], one["task_id"]) for one in dry["task_instances"]] == [
        ("one", "extract"),
        ("two", "extract"),
    ]
    assert states == ["failed", "failed"]
    assert [(run["state"], run["note"]) for run in cleared["dag_runs"]] == [("queued", "again")] * 2


@pytest.mark.parametrize("body", [{"partition_key": "2026"}, {"dry_run": False, "partition_key": "x"}])
async def test_no_run_has_a_partition(cluster: Cluster, body: dict[str, Any]) -> None:
    answer = await cluster.send("POST", "/api/v2/dags/etl/clearPartitions", body)

    assert answer == {"dag_runs_cleared": 0, "task_instances_cleared": 0, "dry_run": body.get("dry_run", True)}
    await cluster.send("POST", "/api/v2/dags/nope/clearPartitions", body, 404)
    runs = await cluster.send("POST", "/api/v2/dags/etl/clearDagRuns", {"partition_key": "2026"})
    assert runs["total_entries"] == 0
