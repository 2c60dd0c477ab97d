"""Bad input to a running node: tasks that misbehave and requests that make no sense."""

import subprocess

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import eventually

EXPECTED = {
    "prints_50_mb": "success",
    "prints_binary": "success",
    "forks_away": "success",
    "holds_stdout": "success",
    "ignores_sigterm": "failed",
    "kills_itself": "failed",
    "skips": "skipped",
    "nowhere": "failed",
    "exits_hard": "failed",
    "exits_softly": "failed",
    "returns_what_json_cannot_hold": "failed",
}


def test_tasks_that_misbehave_end_and_the_node_goes_on(make_node: MakeNode) -> None:
    node = make_node("alone")

    run = node.trigger("rough")
    eventually(lambda: node.run_state("rough", run) == "failed", "the rough run to end")

    answer = node.get(f"/api/v2/dags/rough/dagRuns/{run}/taskInstances", limit=100)
    assert {one["task_id"]: one["state"] for one in answer["task_instances"]} == EXPECTED
    sleepers = subprocess.run(["pgrep", "-f", "^sleep 300"], capture_output=True, check=False)
    assert sleepers.returncode == 1, "a process outlived its task"
    again = node.trigger("repairable")
    eventually(lambda: node.run_state("repairable", again) == "failed", "the next run to run")
    why = node.get(f"/api/v2/dags/rough/dagRuns/{run}/taskInstances/nowhere/tries")["task_instances"][0]
    assert why["state"] == "failed"


def test_requests_that_make_no_sense_are_answered_and_change_nothing(make_node: MakeNode) -> None:
    node = make_node("alone")
    runs = "/api/v2/dags/repairable/dagRuns"

    def asked(path: str, body: object) -> int:
        return node.request("POST", path, json=body).status_code

    assert asked("/api/v2/dags/no_such_dag/dagRuns", {"logical_date": None}) == 404
    assert asked(runs, {"logical_date": None, "conf": "no object"}) == 422
    assert asked(runs, {"logical_date": "yesterday"}) == 422
    assert asked(runs, {"logical_date": None, "no_such_field": 1}) == 422
    assert node.request("POST", runs, content=b"{", headers={"content-type": "application/json"}).status_code == 422
    assert asked(runs, {"logical_date": None, "dag_run_id": "../../etc"}) in (400, 422)
    assert asked(runs, {"logical_date": None, "dag_run_id": "mine"}) == 200
    assert asked(runs, {"logical_date": None, "dag_run_id": "mine"}) == 409
    assert node.get(runs)["total_entries"] == 1
