"""The cluster of the mission, as processes on loopback: nodes are killed and join, and nothing is lost or run twice."""

from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually, read_journal

RUNS = 200
TASKS = 10


def finished(api: NodeProcess, dag_id: str) -> Counter[str]:
    stats = api.get("/api/v2/dagStats", dag_ids=dag_id)["dags"][0]["stats"]
    return Counter({one["state"]: one["count"] for one in stats})


def test_both_masters_answer_the_same_and_a_failed_run_is_restarted(
    make_node: MakeNode, shared: dict[str, str], journal: Path
) -> None:
    master1 = make_node("master1", "api,scheduler", **shared)
    master2 = make_node("master2", "api", **shared)
    make_node("worker1", "worker", **shared)

    for dag_id in ("repairable", "waiting"):
        assert master1.get(f"/api/v2/dags/{dag_id}") == master2.get(f"/api/v2/dags/{dag_id}")
    assert master2.request("PATCH", "/api/v2/dags/waiting", json={"is_paused": True}).json()["is_paused"]
    held = master1.trigger("waiting")
    broken = master2.trigger("repairable")
    eventually(lambda: master1.run_state("repairable", broken) == "failed", "the run to fail")
    assert master1.run_state("waiting", held) == "queued"

    master2.request("PATCH", "/api/v2/dags/waiting", json={"is_paused": False})
    eventually(lambda: master2.run_state("waiting", held) == "running", "the unpaused run to run")
    Path(f"{journal}.go").touch()
    Path(f"{journal}.repaired").touch()
    master2.post(f"/api/v2/dags/repairable/dagRuns/{broken}/clear", {"dry_run": False, "only_failed": True})

    eventually(lambda: master1.run_state("repairable", broken) == "success", "the restarted run to succeed")
    eventually(lambda: master1.run_state("waiting", held) == "success", "the waiting run to succeed")
    log = master2.get(f"/api/v2/dags/waiting/dagRuns/{held}/taskInstances/wait/logs/1")
    assert [line["event"] for line in log["content"]] == ["waiting", "went"]


@pytest.mark.timeout(1200)
def test_two_hundred_runs_survive_the_death_of_a_worker_a_scheduler_and_an_api(
    make_node: MakeNode, shared: dict[str, str], journal: Path
) -> None:
    busy = {**shared, "FLOWD__WORKER__CONCURRENCY": "30"}
    master1 = make_node("master1", "api,scheduler", **shared)
    master2 = make_node("master2", "api", **shared)
    worker1 = make_node("worker1", "worker", **busy)
    make_node("worker2", "worker", **busy)

    runs = [(master1 if number % 2 else master2).trigger("ten_tasks") for number in range(RUNS)]
    eventually(lambda: len(read_journal(journal)) > 200, "the first tasks to run")
    worker1.kill()
    master3 = make_node("master3", "api,scheduler", **shared)
    master1.kill()
    eventually(lambda: len(read_journal(journal)) > 1000, "the work to go on")
    make_node("worker3", "worker", **busy)
    master2.kill()
    eventually(lambda: finished(master3, "ten_tasks")["success"] == RUNS, "every run to succeed")

    entries = read_journal(journal)
    begun = Counter((one["run"], one["task"], one["try"]) for one in entries if one["event"] == "begin")
    ended = Counter((one["run"], one["task"]) for one in entries if one["event"] == "end")
    tokens = {(one["run"], one["task"], one["try"]): one["token"] for one in entries}
    assert set(begun.values()) == {1}, "a try began twice"
    assert set(ended) == {(run, task) for run in runs for task in {one["task"] for one in entries}}
    assert len(ended) == RUNS * TASKS
    assert len(set(tokens.values())) == len(tokens), "two tries had one token"
    # Only what was on the dead worker is tried again; a second end means that it died between its end and its report.
    again = {key for key, count in ended.items() if count > 1}
    assert again <= {(run, task) for run, task, number in begun if number != "1"}
    assert len({key for key in begun if key[2] != "1"}) <= 2 * 30
