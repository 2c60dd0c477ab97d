"""One embedded node: how it starts, drains, dies and comes back."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually


def waiting_run(node: NodeProcess) -> str:
    """Start the task that waits for a file, and return its run once the task says that it waits."""
    run = node.trigger("waiting")
    eventually(lambda: "waiting" in _events(node, run), "the task to wait")
    return run


def _events(node: NodeProcess, run: str, number: int = 1) -> list[str]:
    answer = node.request("GET", f"/api/v2/dags/waiting/dagRuns/{run}/taskInstances/wait/logs/{number}")
    return [line["event"] for line in answer.json().get("content", [])] if answer.status_code == 200 else []


def _task(node: NodeProcess, run: str) -> tuple[str, int]:
    answer = node.get(f"/api/v2/dags/waiting/dagRuns/{run}/taskInstances/wait")
    return str(answer["state"]), int(answer["try_number"])


def _waiting_processes(journal: Path) -> list[int]:
    """The processes of the waiting task, of this test alone: others may run beside it."""
    found: list[int] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_waiting = any("until test -e" in word for word in process.cmdline())
            if is_waiting and str(journal) in process.environ().values():
                found.append(process.pid)
    return found


def test_a_drain_waits_for_what_runs_and_takes_nothing_new(make_node: MakeNode, journal: Path) -> None:
    node = make_node("alone")
    run = waiting_run(node)

    assert node.process is not None
    node.process.terminate()
    eventually(lambda: node.request("GET", "/readyz").status_code == 503, "the node to say that it is not ready")
    late = node.trigger("repairable")
    Path(f"{journal}.go").touch()

    assert node.process.wait(20) == 0
    node.start()
    assert node.run_state("waiting", run) == "success"
    assert _task(node, run) == ("success", 1)
    eventually(lambda: node.run_state("repairable", late) == "failed", "the run that came during the drain to run")


def test_a_second_signal_stops_at_once_and_the_task_is_tried_again_with_no_retry_used(
    make_node: MakeNode, journal: Path
) -> None:
    node = make_node("alone")
    run = waiting_run(node)

    assert node.process is not None
    node.process.terminate()
    eventually(lambda: "draining" in node.log, "the drain to begin")
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(20) == 0
    node.start()
    eventually(lambda: _task(node, run) == ("running", 2), "the second try")
    Path(f"{journal}.go").touch()

    eventually(lambda: node.run_state("waiting", run) == "success", "the run to succeed")


def test_a_killed_node_takes_its_tasks_with_it_and_its_successor_does_not_wait_for_the_lease(
    make_node: MakeNode, journal: Path
) -> None:
    node = make_node("alone", FLOWD__WORKER__LEASE="600s", FLOWD__WORKER__HEARTBEAT="1s")
    run = waiting_run(node)

    node.kill()
    path = f"until test -e {journal}.go"
    eventually(lambda: subprocess.run(["pgrep", "-f", path], check=False).returncode == 1, "its task to die", 5)
    node.start()
    eventually(lambda: _task(node, run) == ("running", 2), "the second try, long before the lease ends")
    Path(f"{journal}.go").touch()

    eventually(lambda: node.run_state("waiting", run) == "success", "the run to succeed")


def test_a_running_task_that_is_cleared_is_killed_before_it_runs_again(make_node: MakeNode, journal: Path) -> None:
    node = make_node("alone")
    run = waiting_run(node)

    body = {"dry_run": False, "task_ids": ["wait"], "dag_run_id": run, "only_failed": False}
    node.post("/api/v2/dags/waiting/clearTaskInstances", body)
    eventually(lambda: _task(node, run) == ("running", 2), "the second try")

    assert len(_waiting_processes(journal)) == 1, "two tries of one task run at the same time"
    Path(f"{journal}.go").touch()
    eventually(lambda: node.run_state("waiting", run) == "success", "the run to succeed")


def test_a_running_task_that_is_cancelled_is_killed_and_stays_failed(make_node: MakeNode, journal: Path) -> None:
    node = make_node("alone")
    run = waiting_run(node)

    stopped = node.post(f"/api/v2/dags/waiting/dagRuns/{run}/taskInstances/wait/cancel", {})
    eventually(lambda: node.run_state("waiting", run) == "failed", "the run to fail")

    assert stopped["state"] == "running", "its process is killed first"
    assert _waiting_processes(journal) == []
    assert _task(node, run) == ("failed", 1)


def test_a_second_scheduler_on_one_sqlite_file_is_refused_and_says_what_to_do(make_node: MakeNode) -> None:
    node = make_node("alone")

    second = NodeProcess(home=node.home, roles="scheduler", environ=node.environ)
    command = [sys.executable, "-m", "flowd.cli", "run", "--roles", "scheduler"]
    ended = subprocess.run(command, env=second.environment(), capture_output=True, text=True, timeout=300, check=False)

    assert ended.returncode == 78
    assert "another process schedules on" in ended.stderr
    assert "--roles api,worker" in ended.stderr


def test_a_worker_runs_more_and_fewer_tasks_at_a_time_while_it_runs_and_drops_none(
    make_node: MakeNode, journal: Path
) -> None:
    node = make_node("alone", FLOWD__WORKER__CONCURRENCY="1")
    runs = [node.trigger("waiting") for _ in range(2)]
    eventually(lambda: sorted(_task(node, run)[0] for run in runs) == ["queued", "running"], "one to run, one to wait")

    flowd = [sys.executable, "-m", "flowd.cli", "workers"]
    ask = partial(subprocess.run, env=node.environment(), capture_output=True, text=True, timeout=300, check=True)
    (worker,) = json.loads(ask([*flowd, "list", "-o", "json"]).stdout)
    assert (worker["concurrency"], worker["pid"]) == (1, node.process.pid if node.process else None)
    ask([*flowd, "set-concurrency", worker["id"][:6], "2"])

    eventually(lambda: {_task(node, run)[0] for run in runs} == {"running"}, "both to run")
    ask([*flowd, "set-concurrency", worker["id"][:6], "1"])
    eventually(lambda: json.loads(ask([*flowd, "list", "-o", "json"]).stdout)[0]["concurrency"] == 1, "it to hold to 1")
    runs.append(node.trigger("waiting"))
    eventually(lambda: _task(node, runs[2])[0] == "queued", "the third to wait")
    assert [_task(node, run) for run in runs[:2]] == [("running", 1)] * 2, "what runs goes on"

    Path(f"{journal}.go").touch()
    eventually(lambda: all(node.run_state("waiting", run) == "success" for run in runs), "all to succeed")
    assert [_task(node, run) for run in runs] == [("success", 1)] * 3


def test_a_worker_that_cannot_write_its_logs_does_not_start(tmp_path: Path) -> None:
    node = NodeProcess(home=tmp_path / "node", roles="worker", environ={"FLOWD__LOGS__URL": "file:///proc/logs"})
    command = [sys.executable, "-m", "flowd.cli", "run", "--roles", "worker"]
    ended = subprocess.run(command, env=node.environment(), capture_output=True, text=True, timeout=300, check=False)

    assert ended.returncode == 78
    assert "where this worker cannot write" in ended.stderr
    assert "FLOWD__LOGS__URL" in ended.stderr


def test_an_asset_that_a_task_has_written_starts_the_dag_that_waits_for_it(make_node: MakeNode) -> None:
    node = make_node("alone")
    node.trigger("orders_in")

    def finished() -> list[str]:
        runs = node.get("/api/v2/dags/orders_out/dagRuns")["dag_runs"]
        return [run["dag_run_id"] for run in runs if run["state"] == "success"]

    eventually(lambda: bool(finished()), "the DAG that waits for the asset to run")

    (run,) = finished()
    assert run.startswith("asset_triggered__")
    path = f"/api/v2/dags/orders_out/dagRuns/{run}/taskInstances/report/xcomEntries/return_value"
    assert node.get(path)["value"] == ["orders_in", 3, 3]
