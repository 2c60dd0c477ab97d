"""Deferred tasks on real nodes: what they wait for, and that they wait on when a node dies."""

from pathlib import Path

import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually


def state(node: NodeProcess, dag_id: str, run: str, task: str) -> str:
    return str(node.get(f"/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances/{task}")["state"])


def log_of(node: NodeProcess, dag_id: str, run: str, task: str) -> str:
    lines = node.get(f"/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances/{task}/logs/1")["content"]
    return "\n".join(str(line["event"]) for line in lines)


def test_deferrable_operators_wait_for_what_they_wait_for(make_node: MakeNode, journal: Path) -> None:
    node = make_node("alone")

    run = node.trigger("deferring", logical_date="2024-02-01T00:00:00Z")
    eventually(lambda: state(node, "deferring", run, "file") == "deferred", "the sensor to be deferred")
    Path(f"{journal}.file").touch()

    eventually(lambda: node.run_state("deferring", run) == "success", "every wait to end")


def test_a_trigger_of_the_file_itself_hands_its_event_to_the_method(make_node: MakeNode, journal: Path) -> None:
    node = make_node("alone")

    run = node.trigger("going")
    eventually(lambda: state(node, "going", run, "go") == "deferred", "the task to be deferred")
    Path(f"{journal}.go").touch()
    eventually(lambda: node.run_state("going", run) == "success", "the run to succeed")

    value = node.get(f"/api/v2/dags/going/dagRuns/{run}/taskInstances/go/xcomEntries/return_value")["value"]
    assert value == {"count": 3, "word": "hello", "try": 1}


def test_a_trigger_that_fails_or_comes_too_late_fails_its_task(make_node: MakeNode) -> None:
    node = make_node("alone")

    run = node.trigger("disappointed")
    eventually(lambda: node.run_state("disappointed", run) == "failed", "the run to fail")

    assert state(node, "disappointed", run, "broken") == state(node, "disappointed", run, "too_late") == "failed"
    assert "RuntimeError: no such queue" in log_of(node, "disappointed", run, "broken")
    assert "TaskDeferralTimeout" in log_of(node, "disappointed", run, "too_late")


@pytest.mark.parametrize(
    ("dag_id", "task", "waiting"), [("going", "go", "deferred"), ("poking", "poke", "up_for_reschedule")]
)
def test_a_wait_goes_on_elsewhere_when_its_worker_is_killed(
    make_node: MakeNode, shared: dict[str, str], journal: Path, dag_id: str, task: str, waiting: str
) -> None:
    master = make_node("master", "api,scheduler", **shared)
    first = make_node("worker1", "worker", **shared)
    run = master.trigger(dag_id)
    eventually(lambda: state(master, dag_id, run, task) == waiting, "the task to wait")
    triggered = Path(f"{journal}.triggered")
    if dag_id == "going":
        eventually(triggered.exists, "the trigger to run")

    first.kill()
    make_node("worker2", "worker", **shared)
    if dag_id == "going":
        eventually(lambda: len(triggered.read_text().split()) > 1, "the trigger to run elsewhere")
    Path(f"{journal}.go").touch()

    eventually(lambda: master.run_state(dag_id, run) == "success", "the run to succeed")
    assert master.get(f"/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances/{task}")["try_number"] == 1
