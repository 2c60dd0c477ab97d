"""A worker that is drained over the API, on a real node."""

from pathlib import Path

from tests.acceptance.conftest import MakeNode
from tests.acceptance.test_one_node import waiting_run
from tests.support.node_process import eventually

WORKERS = "/api/v2/workers"


def test_a_drained_worker_ends_what_it_runs_takes_nothing_and_stays_until_it_is_undrained(
    make_node: MakeNode, journal: Path
) -> None:
    node = make_node("alone")
    run = waiting_run(node)
    (worker,) = eventually(lambda: node.get(WORKERS)["workers"], "the worker to be on record")
    path = f"{WORKERS}/{worker['id'][:8]}"

    def state() -> tuple[str, int]:
        now = node.get(path)["worker"]
        return now["state"], now["running"]

    assert [one["task_id"] for one in node.get(path)["task_instances"]] == ["wait"]
    assert node.post(f"{path}/drain", None)["state"] == "draining"
    eventually(lambda: "takes no more work" in node.log, "the worker to hear of it")
    late = node.trigger("repairable")
    first = f"/api/v2/dags/repairable/dagRuns/{late}/taskInstances/first"
    eventually(lambda: node.request("GET", first).json().get("state") == "queued", "the late task to be queued")
    assert state() == ("draining", 1)

    Path(f"{journal}.go").touch()
    eventually(lambda: node.run_state("waiting", run) == "success", "what ran to end")
    eventually(lambda: state() == ("drained", 0), "the worker to be drained")
    assert node.get(first)["state"] == "queued"
    assert node.request("GET", "/readyz").status_code == 200

    node.post(f"{path}/undrain", None)
    eventually(lambda: node.run_state("repairable", late) == "failed", "the late run to run")
    eventually(lambda: state()[0] == "active", "the worker to be active")
