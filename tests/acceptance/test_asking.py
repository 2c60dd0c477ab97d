"""Tasks that ask a person, on a real node, answered over its API."""

from typing import Any

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually


def states(node: NodeProcess, run: str) -> dict[str, Any]:
    found = node.get(f"/api/v2/dags/asking/dagRuns/{run}/taskInstances")["task_instances"]
    return {one["task_id"]: one["state"] for one in found}


def answer(node: NodeProcess, run: str, task: str, options: list[str], **params: Any) -> dict[str, Any]:
    def is_asked() -> bool:
        return states(node, run).get(task) == "deferred"

    eventually(is_asked, f"{task} to ask")
    path = f"/api/v2/dags/asking/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails"
    response = node.request("PATCH", path, json={"chosen_options": options, "params_input": params})
    assert response.status_code == 200, response.text
    given: dict[str, Any] = response.json()
    return given


def value(node: NodeProcess, run: str, task: str) -> Any:
    return node.get(f"/api/v2/dags/asking/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value")["value"]


def test_answers_let_tasks_go_on_and_defaults_stand_for_those_that_do_not_come(make_node: MakeNode) -> None:
    node = make_node("alone")
    run = node.trigger("asking")

    given = answer(node, run, "entry", ["OK"], rows=5, why="so")
    answer(node, run, "approve", ["Reject"])
    answer(node, run, "branch", ["right"])
    eventually(lambda: node.run_state("asking", run) == "failed", "the run to end")

    assert given["chosen_options"] == ["OK"] and given["params_input"] == {"rows": 5, "why": "so"}
    assert states(node, run) == {
        "entry": "success",
        "late": "success",
        "approve": "success",
        "behind": "skipped",
        "branch": "success",
        "left": "skipped",
        "right": "success",
        "never": "failed",
    }
    assert value(node, run, "entry")["params_input"] == {"rows": 5, "why": "so"}
    assert value(node, run, "late")["chosen_options"] == ["two"]
    details = node.get(f"/api/v2/dags/asking/dagRuns/{run}/hitlDetails", response_received="false")
    assert [one["task_instance"]["task_id"] for one in details["hitl_details"]] == ["never"]
    asked = node.get(f"/api/v2/dags/asking/dagRuns/{run}/taskInstances/entry/-1/hitlDetails")
    assert asked["subject"] == f"How many rows for {run}?" and asked["responded_by_user"]["name"]
