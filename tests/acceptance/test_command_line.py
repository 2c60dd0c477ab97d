"""The command line over the network: it says and does what it does beside the metastore."""

import json
import os
import pty
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import ADMIN_PASSWORD, NodeProcess, eventually

SECONDS = 300.0


class Desk:
    """A machine that has none of the cluster's settings."""

    def __init__(self, home: Path) -> None:
        self.environ = {"PATH": os.environ["PATH"], "FLOWD_HOME": str(home), "HOME": str(home)}

    def flowd(self, *arguments: str, stdin: str = "", **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a command."""
        return subprocess.run(
            [sys.executable, "-m", "flowd.cli", *arguments],
            env={**self.environ, **environ},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def rows(self, *arguments: str, **environ: str) -> object:
        """The data that a command prints."""
        ended = self.flowd(*arguments, "-o", "json", **environ)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


@pytest.fixture
def node(make_node: MakeNode) -> NodeProcess:
    node = make_node("node")
    eventually(lambda: node.get("/api/v2/dags", limit=100)["total_entries"] > 3, "the DAGs")
    return node


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "desk").mkdir()
    return Desk(tmp_path / "desk")


def beside(node: NodeProcess, *arguments: str) -> object:
    """The data that a command prints where the node's settings are."""
    command = [sys.executable, "-m", "flowd.cli", *arguments, "-o", "json"]
    ended = subprocess.run(command, env=node.environment(), capture_output=True, text=True, timeout=SECONDS, check=True)
    return json.loads(ended.stdout)


def test_after_a_login_commands_do_there_what_they_do_beside_the_metastore(
    node: NodeProcess, desk: Desk, tmp_path: Path, journal: Path
) -> None:
    Path(f"{journal}.repaired").touch()
    login = desk.flowd("login", node.url, "--username", "admin", "--password-stdin", stdin=f"{ADMIN_PASSWORD}\n")
    assert login.returncode == 0, login.stderr

    ran = desk.flowd("dags", "trigger", "repairable", "--run-id", "far", "--wait", "-o", "json")

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["state"] == "success" and "success in" in ran.stderr
    for line in (
        "dags show repairable",
        "runs show repairable far",
        "tasks list repairable far",
        "tasks tries repairable far first",
    ):
        assert desk.rows(*line.split()) == beside(node, *line.split()), line
    log = desk.flowd("tasks", "logs", "repairable", "far", "first", "--follow")
    assert log.returncode == 0 and log.stdout, log.stderr
    assert desk.flowd("runs", "wait", "repairable", "far").returncode == 0
    assert {row["part"]: row["status"] for row in desk.rows("health")}["scheduler"] == "healthy"  # type: ignore[attr-defined]
    settings = {row["name"]: row["value"] for row in desk.rows("config", "list")}  # type: ignore[attr-defined]
    assert desk.flowd("config", "get", "api.port").stdout.strip() == settings["api.port"] == str(node.port)
    assert desk.flowd("config", "get-value", "api", "port").stdout.strip() == str(node.port)
    assert desk.rows("me", "show")["role"] == "Admin"  # type: ignore[index]
    both = f"{ADMIN_PASSWORD}\n{ADMIN_PASSWORD}, a better one\n"
    assert desk.flowd("me", "set-password", "--password-stdin", stdin=both).returncode == 0
    ended = desk.flowd("dags", "list")
    assert ended.returncode == 4 and f"flowd login {node.url}" in ended.stderr
    login = desk.flowd("login", node.url, "-u", "admin", "--password-stdin", stdin=both.partition("\n")[2])
    assert login.returncode == 0, login.stderr
    tab = {"_FLOWD_COMPLETE": "complete_bash", "COMP_WORDS": "flowd dags show repa", "COMP_CWORD": "3"}
    assert subprocess.run(
        [str(Path(sys.executable).with_name("flowd"))], env={**desk.environ, **tab}, capture_output=True, text=True
    ).stdout.split() == ["repairable"]
    made = desk.rows("tokens", "create", "admin", "ci", "--role", "Viewer")
    assert isinstance(made, dict)
    kept = (tmp_path / "desk" / "logins.json").read_text()
    assert ADMIN_PASSWORD not in kept

    # Whom a token lets in: as a Viewer, not at all, and no longer.
    token = {"FLOWD_API_URL": node.url, "FLOWD_API_TOKEN": str(made["secret"])}
    assert desk.flowd("logout").returncode == 0
    assert desk.rows("dags", "list", **token) == beside(node, "dags", "list")
    refused = desk.flowd("dags", "pause", "repairable", **token)
    assert refused.returncode == 4 and "flowd users set-role" in refused.stderr
    wrong = desk.flowd("dags", "list", **{**token, "FLOWD_API_TOKEN": "flowd_nonsense"})
    assert wrong.returncode == 4 and f"flowd login {node.url}" in wrong.stderr
    nobody = desk.flowd("dags", "list", "--api", node.url)
    assert nobody.returncode == 4 and f"{node.url} wants a login" in nobody.stderr
    bad = desk.flowd("login", node.url, "-u", "admin", "--password-stdin", stdin="nonsense\n")
    assert bad.returncode == 4 and "Invalid credentials" in bad.stderr
    node.kill()
    away = desk.flowd("dags", "list", **token)
    assert away.returncode == 5 and f"{node.url} does not answer" in away.stderr


def test_a_log_is_followed_until_its_task_has_ended(node: NodeProcess, desk: Desk, journal: Path) -> None:
    run = node.trigger("waiting")
    environ = {**os.environ, **node.environment()}
    follower = subprocess.Popen(
        [sys.executable, "-m", "flowd.cli", "tasks", "logs", "waiting", run, "wait", "--follow"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    path = f"/api/v2/dags/waiting/dagRuns/{run}/taskInstances/wait"
    eventually(lambda: node.get(path)["state"] == "running", "the task to run")
    assert follower.poll() is None

    Path(f"{journal}.go").touch()

    out, err = follower.communicate(timeout=SECONDS)
    assert follower.returncode == 0, err
    assert out.splitlines()


def test_on_a_terminal_a_run_is_shown_as_a_tree_that_renews_itself(node: NodeProcess, journal: Path) -> None:
    terminal, theirs = pty.openpty()
    shown = bytearray()

    def read() -> None:
        with open(terminal, "rb", buffering=0) as screen, suppress(OSError):  # Linux says the end of a terminal so
            while piece := screen.read(65536):
                shown.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    with subprocess.Popen(
        [sys.executable, "-m", "flowd.cli", "dags", "trigger", "waiting", "--wait"],
        env={**os.environ, **node.environment(), "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as command:
        os.close(theirs)
        eventually(lambda: "▶ wait: running" in shown.decode(errors="replace"), "the task to be seen running")
        Path(f"{journal}.go").touch()
        out, _ = command.communicate(timeout=SECONDS)
    reader.join()

    assert command.returncode == 0
    assert "success" in out
    assert "✓ wait: success in" in shown.decode()
    assert "\x1b[1A" in shown.decode(), "the tree is drawn where it was, not below"
