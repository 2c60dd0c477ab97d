"""The OpenAPI document is true: schemathesis asks a node for all of it and gets no answer that it does not tell."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually

CONFIG = Path(__file__).with_name("schemathesis.toml")
SEED = 5
VERA = "vera-s-password"
BRIEF = {"admin": ("coverage,fuzzing", 25), "viewer": ("fuzzing", 10), "nobody": ("fuzzing", 10)}
"""For how many seconds each is tried in the suite, and how."""

LONG_SECONDS = 500

Ask = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def node(make_node: MakeNode) -> NodeProcess:
    """An API with something of everything in it, in which nothing happens any more by itself."""
    node = make_node("node")
    for run in ("one", "two"):
        node.trigger("mapped", dag_run_id=run)
        eventually(lambda run=run: node.run_state("mapped", run) == "success", "the run")  # type: ignore[misc]
    node.trigger("asking", dag_run_id="asks")
    eventually(lambda: node.get("/api/v2/dags/asking/dagRuns/asks/hitlDetails")["hitl_details"], "the question")
    task = "/api/v2/dags/mapped/dagRuns/one/taskInstances/numbers"
    asset = node.get("/api/v2/assets")["assets"][0]["id"]
    dates = {"from_date": "2024-01-01T00:00:00Z", "to_date": "2024-01-03T00:00:00Z"}
    node.post("/api/v2/backfills", {"dag_id": "replayed", **dates})
    node.post("/api/v2/variables", {"key": "known", "value": "1"})
    node.post("/api/v2/connections", {"connection_id": "known", "conn_type": "http"})
    node.post("/api/v2/pools", {"name": "known", "slots": 1})
    node.post("/api/v2/assets/events", {"asset_id": asset, "extra": {"rows": 1}})
    for path in (f"/api/v2/assets/{asset}/state-store/known", f"{task}/state-store/known"):
        assert node.request("PUT", path, json={"value": 1}).is_success
    create = [sys.executable, "-m", "flowd.cli", "users", "create", "vera", "--password-stdin"]
    subprocess.run(create, env=node.environment(), input=VERA, text=True, check=True, stdout=subprocess.DEVNULL)
    node.stop()
    node.roles = "api"
    return node.start()


@pytest.fixture
def ask(node: NodeProcess, tmp_path: Path) -> Ask:
    """Let schemathesis ask the node as somebody, with what its command line has."""

    def run(who: str, *options: str, document: str | None = None) -> "subprocess.CompletedProcess[str]":
        tool = Path(sys.executable).with_name("schemathesis")
        place = document or f"{node.url}/openapi.json"
        command = [str(tool), "--no-color", "--config-file", str(CONFIG), "run", place, "--url", node.url, *options]
        for name, value in headers(node, who).items():
            command += ["--header", f"{name}: {value}"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def headers(node: NodeProcess, who: str) -> dict[str, str]:
    if who == "nobody":
        return {}
    if who == "viewer":
        login = {"username": "vera", "password": VERA}
        token = node.request("POST", "/auth/token", json=login).json()["access_token"]
    else:
        node.get("/api/v2/dags")
        token = node.token
    return {"Authorization": f"Bearer {token}"}


def document_of(node: NodeProcess) -> dict[str, Any]:
    document: dict[str, Any] = node.get("/openapi.json")
    return document


def test_no_answer_is_other_than_the_document_says(node: NodeProcess, ask: Ask) -> None:
    operations = sum(map(len, document_of(node)["paths"].values()))

    for who, (phases, seconds) in BRIEF.items():
        # That all data is taken which the document allows is for the long run: what is sent depends on the answers.
        told = ask(
            who,
            *("--seed", str(SEED), "--phases", phases, "--max-examples", "3", "--max-time", str(seconds)),
            *("--exclude-checks", "positive_data_acceptance"),
        )

        assert told.returncode == 0, f"as {who}:\n{told.stdout[-8000:]}{told.stderr[-2000:]}"
        assert f"Selected: {operations}/{operations}" in told.stdout
    assert "Traceback" not in node.log


def test_an_answer_that_the_document_does_not_tell_is_found(node: NodeProcess, ask: Ask, tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    document = document_of(node)
    path = "/api/v2/dags/{dag_id}"
    del document["paths"][path]["get"]["responses"]["404"]
    altered = tmp_path / "openapi.json"
    altered.write_text(json.dumps(document))

    told = ask("admin", "--include-path", path, "--phases", "coverage", "--seed", str(SEED), document=str(altered))

    assert told.returncode == 1
    assert "Undocumented status code" in told.stdout and "Received: 404" in told.stdout


@pytest.mark.soak
@pytest.mark.timeout(2000)
@pytest.mark.parametrize("who", list(BRIEF))
def test_no_answer_is_other_than_the_document_says_for_long(node: NodeProcess, ask: Ask, who: str) -> None:
    phases = "coverage,fuzzing,stateful"
    told = ask(who, "--phases", phases, "--max-examples", "300", "--max-time", str(LONG_SECONDS))

    assert told.returncode == 0, told.stdout[-20_000:]
    assert "Traceback" not in node.log
