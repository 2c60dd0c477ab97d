"""A node with the api role alone may serve with several processes on one port."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually


def workers_of(node: NodeProcess) -> set[int]:
    assert node.process is not None
    found = subprocess.run(["pgrep", "-P", str(node.process.pid)], capture_output=True, text=True, check=False)
    return {int(pid) for pid in found.stdout.split()}


def test_one_that_dies_is_started_again_and_a_signal_ends_them_all(make_node: MakeNode) -> None:
    node = make_node("masters", "api", FLOWD__API__WORKERS="2")
    eventually(lambda: node.log.count('"event": "ready"') == 2, "both workers to be ready")
    before = workers_of(node)

    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: node.log.count('"event": "ready"') == 3, "another worker to be ready")

    after = workers_of(node)
    assert len(before) == len(after) == 2
    assert victim not in after
    assert all(node.get("/api/v2/version")["version"] for _ in range(20))
    assert node.stop() == 0
    assert not any(os.path.exists(f"/proc/{pid}") for pid in after)


def test_several_workers_beside_another_role_are_refused(tmp_path: Path) -> None:
    node = NodeProcess(home=tmp_path / "node", roles="api,scheduler", environ={"FLOWD__API__WORKERS": "2"})
    command = [sys.executable, "-m", "flowd.cli", "run", "--roles", "api,scheduler"]
    ended = subprocess.run(command, env=node.environment(), capture_output=True, text=True, timeout=300, check=False)

    assert ended.returncode == 78
    assert "FLOWD__API__WORKERS=1" in ended.stderr
