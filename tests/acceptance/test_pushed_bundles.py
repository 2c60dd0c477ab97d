"""Nodes that share a metastore and a broker and not one folder run what was pushed to one of them."""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowd.cli.pack_folder import pack_folder
from flowd.db.bundles import pack
from flowd.db.metastore import Metastore
from tests.acceptance.conftest import FAST
from tests.support.node_process import NodeProcess, eventually

DAG = """
import time
from datetime import datetime
from pathlib import Path

from flowd import DAG, task

with DAG("team", schedule="{schedule}", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False) as dag:

    @task
    def wait(params=None, dag_run=None):
        while (gate := dag_run.conf.get("gate")) and not Path(gate).exists():
            time.sleep(0.05)

    @task
    def tell():
        from helpers.words import WORD

        return WORD

    wait() >> tell()
"""
MORE = """
    @task
    def more():
        return "more"

    more()
"""

Start = Callable[..., NodeProcess]


def write(folder: Path, word: str, schedule: str = "@yearly", also: str = "") -> Path:
    """A folder whose one DAG tells the word, by a module beside it."""
    (folder / "helpers").mkdir(parents=True, exist_ok=True)
    (folder / "helpers" / "__init__.py").touch()
    (folder / "helpers" / "words.py").write_text(f"WORD = {word!r}\n")
    (folder / "team.py").write_text(DAG.format(schedule=schedule) + also)
    return folder


@pytest.fixture
def start(tmp_path: Path, postgres_url: str, amqp_url: str, queue_prefix: str) -> Iterator[Start]:
    """Start nodes with homes of their own; logs and DAG folders lie in these."""
    nodes: list[NodeProcess] = []

    def start(name: str, roles: str, **environ: str) -> NodeProcess:
        (tmp_path / name / "dags").mkdir(parents=True, exist_ok=True)
        shared = {
            "FLOWD__DATABASE__URL": postgres_url,
            "FLOWD__DATABASE__AUTO_MIGRATE": "true",
            "FLOWD__QUEUE__URL": amqp_url,
            "FLOWD__QUEUE__PREFIX": queue_prefix,
        }
        nodes.append(NodeProcess(home=tmp_path / name, roles=roles, environ={**FAST, **shared, **environ}))
        return nodes[-1].start()

    yield start
    for node in nodes:
        node.destroy()


def flowd(node: NodeProcess, tmp_path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on a machine that knows of the cluster only where its API is."""
    node.get("/api/v2/version")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWD_")}
    elsewhere = {"FLOWD_HOME": str(tmp_path / "laptop"), "FLOWD_API_URL": node.url, "FLOWD_API_TOKEN": str(node.token)}
    return subprocess.run(
        [sys.executable, "-m", "flowd.cli", *arguments], env={**kept, **elsewhere}, capture_output=True, text=True
    )


def done(ended: "subprocess.CompletedProcess[str]") -> str:
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def word_of(node: NodeProcess, run_id: str) -> Any:
    return node.get(f"/api/v2/dags/team/dagRuns/{run_id}/taskInstances/tell/xcomEntries/return_value")["value"]


def succeeds(node: NodeProcess, run_id: str) -> Any:
    eventually(lambda: node.run_state("team", run_id) == "success", f"run {run_id} to succeed")
    return word_of(node, run_id)


def tasks_of(node: NodeProcess, run_id: str) -> set[str]:
    found = node.get(f"/api/v2/dags/team/dagRuns/{run_id}/taskInstances")["task_instances"]
    return {one["task_id"] for one in found}


@pytest.mark.timeout(600)
def test_a_run_goes_on_with_the_version_it_began_with_and_a_rollback_is_one_step(start: Start, tmp_path: Path) -> None:
    api, _, _ = start("api", "api"), start("scheduler", "scheduler"), start("worker", "worker")
    gate = tmp_path / "gate"

    done(flowd(api, tmp_path, "bundles", "push", str(write(tmp_path / "team", "one")), "--yes"))
    first = succeeds(api, api.trigger("team"))
    waiting = api.trigger("team", conf={"gate": str(gate)})
    eventually(lambda: api.run_state("team", waiting) == "running", "the run to wait")
    write(tmp_path / "team", "two", schedule="@monthly", also=MORE)
    planned = json.loads(
        done(flowd(api, tmp_path, "bundles", "push", str(tmp_path / "team"), "--dry-run", "-o", "json"))
    )
    shown = done(flowd(api, tmp_path, "bundles", "apply", planned["plan"]["hash"][:12]))
    second_run = api.trigger("team")
    second = succeeds(api, second_run)
    gate.touch()
    late = succeeds(api, waiting)
    done(flowd(api, tmp_path, "bundles", "rollback", "team", "--yes"))
    third = succeeds(api, api.trigger("team"))

    assert (first, second, late, third) == ("one", "two", "one", "one")
    assert tasks_of(api, waiting) == {"wait", "tell"} and tasks_of(api, second_run) == {"wait", "tell", "more"}
    (change,) = planned["plan"]["dags"]
    assert change["kind"] == "changed" and change["diff"]["tasks_added"] == ["more"]
    assert change["unfinished"] == [{"version": 1, "state": "running", "count": 1}]
    assert change["fire_times_before"] != change["fire_times_after"]
    assert "version_number  2" in shown
    assert api.get("/api/v2/dags/team")["bundle_name"] == "team"
    assert api.get("/api/v2/importErrors")["import_errors"] == []
    events = api.get("/api/v2/eventLogs", event="apply_bundle_plan")["event_logs"]
    assert len(events) == 3 and {one["owner"] for one in events} == {"admin"}


@pytest.mark.timeout(600)
def test_a_worker_that_is_killed_while_it_fetches_fetches_again(start: Start, tmp_path: Path) -> None:
    folder = write(tmp_path / "team", "one")
    noise = random.Random(5)
    for number in range(6000):
        (folder / "helpers" / f"data{number}.bin").write_bytes(noise.randbytes(200))
    api, _ = start("api", "api"), start("scheduler", "scheduler")
    worker = start("worker", "worker")
    done(flowd(api, tmp_path, "bundles", "push", str(folder), "--yes"))

    run = api.trigger("team")
    while not [*worker.home.rglob(".new-*/team.py"), *worker.home.rglob(".new-*/helpers/*.bin")]:
        assert worker.is_running
    worker.kill()
    halves, wholes = [*worker.home.rglob(".new-*")], [*worker.home.rglob(".flowd-bundle")]
    worker.start()

    assert succeeds(api, run) == "one"
    assert halves and not wholes, "it was not in the middle of it"
    assert [*worker.home.rglob(".new-*")] == [] and len([*worker.home.rglob(".flowd-bundle")]) == 1


@pytest.mark.timeout(600)
def test_a_content_that_was_altered_in_the_metastore_runs_nowhere(
    start: Start, tmp_path: Path, postgres_url: str
) -> None:
    api, _ = start("api", "api"), start("scheduler", "scheduler")
    done(flowd(api, tmp_path, "bundles", "push", str(write(tmp_path / "team", "one")), "--yes"))

    asyncio.run(replace_contents(postgres_url, pack(b"raise SystemExit('evil')\n")))
    start("worker", "worker")
    run = api.trigger("team")
    eventually(lambda: api.run_state("team", run) == "failed", "the run to fail")

    assert asyncio.run(errors_of(postgres_url)) == {"was altered in the metastore"}


async def replace_contents(url: str, content: bytes) -> None:
    metastore = Metastore(url)
    async with metastore.transaction() as tx:
        # What the files define stays: only the files themselves are other ones.
        await tx.execute(
            "UPDATE bundle_content SET content = :content WHERE hash NOT IN (SELECT parsed FROM pushed_version)",
            {"content": content},
        )
    await metastore.close()


async def errors_of(url: str) -> set[str]:
    """What every try failed of, less the hashes."""
    metastore = Metastore(url)
    async with metastore.reading() as tx:
        found = {str(error) for (error,) in await tx.execute("SELECT error FROM attempt")}
    await metastore.close()
    return {error.rpartition(": it ")[2] for error in found}


@pytest.mark.timeout(600)
def test_of_two_pushes_at_once_one_is_taken_and_the_other_is_told_so(start: Start, tmp_path: Path) -> None:
    nodes = [start("api1", "api"), start("api2", "api")]
    plans = []
    for node, word in zip(nodes, ("one", "two"), strict=True):
        archive = pack_folder(str(write(tmp_path / word, word))).archive
        plans.append(node.request("POST", "/api/v2/bundles/team/plans", content=archive).json()["hash"])
    answers: dict[str, Any] = {}
    together = threading.Barrier(2)

    def apply(node: NodeProcess, plan: str) -> None:
        together.wait()
        answers[plan] = node.request("POST", f"/api/v2/bundlePlans/{plan}/apply")

    threads = [threading.Thread(target=apply, args=one) for one in zip(nodes, plans, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.status_code for answer in answers.values()) == [200, 409]
    (winner,) = [plan for plan, answer in answers.items() if answer.status_code == 200]
    again = nodes[1].request("POST", f"/api/v2/bundlePlans/{winner}/apply")
    assert (again.status_code, again.json()["version_number"]) == (200, 1)
    assert nodes[0].get("/api/v2/bundles/team/versions")["total_entries"] == 1
