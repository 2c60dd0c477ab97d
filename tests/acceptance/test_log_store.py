"""Logs in a bucket, with nodes that share no folder: read from any node, also when the worker was killed."""

import secrets
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually

LOGS = "/api/v2/dags/waiting/dagRuns/{run}/taskInstances/wait/logs/{number}"


@pytest.fixture
def apart(shared: dict[str, str], s3_endpoint: str) -> dict[str, str]:
    """A cluster whose nodes have folders of their own, and a bucket."""
    bucket = f"logs-{secrets.token_hex(6)}"
    httpx.put(f"{s3_endpoint}/{bucket}").raise_for_status()
    del shared["FLOWD__LOGS__URL"]
    return {
        **shared,
        "FLOWD__LOGS__STORE": f"s3://{bucket}/tasks",
        "FLOWD__LOGS__STORE_REGION": "us-east-1",
        "FLOWD__LOGS__STORE_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }


def said(node: NodeProcess, run: str, number: int = 1) -> list[str]:
    answer = node.request("GET", LOGS.format(run=run, number=number))
    return [line["event"] for line in answer.json().get("content", [])] if answer.status_code == 200 else []


def test_what_a_task_wrote_last_outlives_its_worker_and_its_worker_s_disk(
    make_node: MakeNode, apart: dict[str, str], journal: Path
) -> None:
    master = make_node("master", "api,scheduler", **apart)
    worker = make_node("worker", "worker", **apart)
    run = master.trigger("waiting")
    eventually(lambda: "waiting" in said(master, run), "the line of a task that still runs, on another node")

    worker.kill()
    (worker.home / "workers").rename(worker.home / "lost-with-its-disk")

    assert "waiting" in said(master, run)
    page = master.request("GET", f"/dags/waiting/runs/{run}/tasks/wait")
    assert page.status_code in (200, 303), page.status_code
    make_node("another", "worker", **apart)
    Path(f"{journal}.go").touch()
    eventually(lambda: master.run_state("waiting", run) == "success", "the run to succeed on another worker")
    assert said(master, run, 2)[-2:] == ["waiting", "went"]


def test_a_worker_that_comes_back_ships_what_it_had_not(make_node: MakeNode, apart: dict[str, str]) -> None:
    master = make_node("master", "api,scheduler", **apart)
    worker = make_node("worker", "worker", **apart)
    run = master.trigger("waiting")
    eventually(lambda: "waiting" in said(master, run), "the first line")

    (file,) = (worker.home / "workers").glob("*/logs/0/waiting/*/wait~1.log")
    worker.kill()
    with file.open("ab") as log:
        log.write(b"2026-01-01T00:00:00.000000Z o written when nobody shipped\n")
    worker.start()

    eventually(lambda: "written when nobody shipped" in said(master, run), "the last line of the killed worker's task")
