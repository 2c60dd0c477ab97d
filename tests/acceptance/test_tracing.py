"""Traces: a run, its tries and what their code makes are one tree, told by different nodes to a real OTLP receiver."""

import socket

import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually
from tests.support.otlp_collector import an_otlp_collector


def succeeded(node: NodeProcess, run: str) -> bool:
    return node.run_state("traced", run) == "success"


def returned(node: NodeProcess, run: str, task_id: str) -> str:
    path = f"/api/v2/dags/traced/dagRuns/{run}/taskInstances/{task_id}/xcomEntries/return_value"
    return str(node.get(path)["value"])


@pytest.fixture
def told(shared: dict[str, str]) -> dict[str, str]:
    return {**shared, "FLOWD__TRACING__SERVICE": "flowd-here", "FLOWD__TRACING__HEADERS": "x-key=open-sesame"}


def test_a_run_is_a_trace_that_scheduler_worker_and_task_share(make_node: MakeNode, told: dict[str, str]) -> None:
    with an_otlp_collector() as collector:
        told |= {"FLOWD__TRACING__ENDPOINT": collector.url, "COLLECTOR": collector.url}
        master = make_node("master", "api,scheduler", **told)
        worker = make_node("worker", "worker", **told)
        run = master.trigger("traced")
        eventually(lambda: succeeded(master, run), "the run to succeed")
        places = {task_id: returned(master, run, task_id) for task_id in ("script", "place")}
        worker.stop()
        master.stop()

    (root,) = collector.named("traced")
    assert root.parent == ""
    assert root.attributes == {"flowd.dag_id": "traced", "flowd.run_id": run, "flowd.state": "success"}
    assert root.resource["service.name"] == "flowd-here"
    for task_id, place in places.items():
        (span,) = collector.named(f"traced.{task_id}")
        assert (span.trace, span.parent, span.is_error) == (root.trace, root.id, False)
        assert place == f"00-{root.trace}-{span.id}-01", "what the task's own spans will name as their parent"
        assert 0 < span.seconds <= root.seconds
    first, second = sorted(collector.named("traced.stumbles"), key=lambda span: span.attributes["flowd.try_number"])
    assert (first.is_error, second.is_error) == (True, False)
    assert "not yet" in first.message
    assert first.id != second.id
    assert collector.keys == {"open-sesame", None}, "flowd's deliveries show the key; the task's own has none"
    (own,) = collector.named("copy")
    (telling,) = collector.named("traced.tells")
    assert (own.trace, own.parent) == (root.trace, telling.id)


def test_a_collector_that_is_away_keeps_nobody_waiting(make_node: MakeNode, told: dict[str, str]) -> None:
    with socket.socket() as silent:
        # It takes connections and never answers: the worst kind of away.
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        told["FLOWD__TRACING__ENDPOINT"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        node = make_node("node", **told)
        for _ in range(3):
            run = node.trigger("traced")
            eventually(lambda run=run: succeeded(node, run), "the run to succeed")  # type: ignore[misc]
        assert node.stop() == 0

    assert "open-sesame" not in node.log
    assert "Traceback" not in node.log
