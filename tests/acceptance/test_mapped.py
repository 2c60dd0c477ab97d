"""A mapped task through a real node: its instances in the API, one of them cleared, one marked."""

import json
from pathlib import Path

from flowd.domain.stored_value import StoredValue
from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually

RUNS = "/api/v2/dags/mapped/dagRuns"


def _states(node: NodeProcess, run: str) -> dict[tuple[str, int], str]:
    found = node.get(f"{RUNS}/{run}/taskInstances")["task_instances"]
    return {(one["task_id"], one["map_index"]): one["state"] for one in found}


def test_a_mapped_task_runs_over_literals_and_over_what_another_returned(make_node: MakeNode) -> None:
    node = make_node("alone")

    run = node.trigger("mapped")
    eventually(lambda: node.run_state("mapped", run) == "success", "the run to succeed")

    assert set(_states(node, run)) == {("numbers", -1), ("total", -1), *(("add", index) for index in range(4))}
    total = node.get(f"{RUNS}/{run}/taskInstances/total/xcomEntries/return_value")
    assert total["value"] == (13 + 14 + 23 + 24)
    third = node.get(f"{RUNS}/{run}/taskInstances/add/2")
    assert (third["map_index"], third["state"], third["try_number"]) == (2, "success", 1)
    assert third["rendered_map_index"] == "20 and 3"
    listed = node.get(f"{RUNS}/{run}/taskInstances/add/listMapped")
    assert ([one["map_index"] for one in listed["task_instances"]], listed["total_entries"]) == ([0, 1, 2, 3], 4)


def test_one_map_index_is_cleared_and_one_is_marked(make_node: MakeNode) -> None:
    node = make_node("alone")
    run = node.trigger("mapped")
    eventually(lambda: node.run_state("mapped", run) == "success", "the run to succeed")

    body = {"dry_run": False, "task_ids": [["add", 1]], "dag_run_id": run, "only_failed": False}
    cleared = node.post("/api/v2/dags/mapped/clearTaskInstances", body)
    assert [(one["task_id"], one["map_index"]) for one in cleared["task_instances"]] == [("add", 1)]

    def tries() -> list[int]:
        listed = node.get(f"{RUNS}/{run}/taskInstances/add/listMapped")["task_instances"]
        return [one["try_number"] for one in listed if one["state"] == "success"]

    eventually(lambda: tries() == [1, 2, 1, 1], "the one instance to run again, and no other")
    marked = node.request("PATCH", f"{RUNS}/{run}/taskInstances/add/3", json={"new_state": "failed"})
    assert marked.status_code == 200
    assert _states(node, run)["add", 3] == "failed"


def test_values_that_are_stored_by_themselves_are_mapped_over_and_shown_by_reference(
    make_node: MakeNode, tmp_path: Path
) -> None:
    store = f"file://{tmp_path}/store"
    node = make_node("alone", FLOWD__XCOM__STORE=store, FLOWD__XCOM__THRESHOLD="0")

    run = node.trigger("mapped")
    eventually(lambda: node.run_state("mapped", run) == "success", "the run to succeed")

    shown = node.get(f"{RUNS}/{run}/taskInstances/total/xcomEntries/return_value")["value"]
    stored = StoredValue.from_json(shown)
    assert stored is not None and stored.url.startswith(f"{store}/mapped/")
    assert json.loads(Path(stored.url.removeprefix("file://")).read_text()) == (13 + 14 + 23 + 24)
