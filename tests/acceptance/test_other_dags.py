"""Runs that make and await runs of other DAGs, on a real node."""

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import eventually


def test_a_dag_triggers_another_and_both_ways_of_waiting_see_its_end(make_node: MakeNode) -> None:
    node = make_node("alone")

    run = node.trigger("teller", logical_date="2024-02-01T00:00:00Z")
    eventually(lambda: node.run_state("teller", run) == "success", "the triggering run to succeed")

    told = node.get(f"/api/v2/dags/told/dagRuns/told_by_{run}")
    log = node.get(f"/api/v2/dags/told/dagRuns/told_by_{run}/taskInstances/say/logs/1")
    pulled = node.get(f"/api/v2/dags/teller/dagRuns/{run}/taskInstances/after/xcomEntries/return_value")
    assert (told["state"], told["run_type"], told["triggered_by"]) == ("success", "operator_triggered", "operator")
    assert (told["conf"], told["logical_date"]) == ({"word": "hello"}, "2024-02-01T00:00:00Z")
    assert [line["event"] for line in log["content"]] == ["hello"]
    assert pulled["value"] == f"told_by_{run}"
