"""A node whose metastore is away when it starts: it waits, it says so, and it can be told to stop."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cluster.free_port import free_port
from tests.support.node_process import NodeProcess, eventually


@pytest.fixture(params=["nobody listens", "nobody answers"])
def dead_port(request: pytest.FixtureRequest) -> Iterator[int]:
    if request.param == "nobody listens":
        yield free_port()
        return
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield int(silent.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_that_waits_for_its_metastore_stops_at_once_when_told_to(
    tmp_path: Path, dead_port: int, number: signal.Signals
) -> None:
    url = f"postgresql://nobody@127.0.0.1:{dead_port}/flowd"
    node = NodeProcess(home=tmp_path / "node", roles="api,scheduler,worker", environ={"FLOWD__DATABASE__URL": url})
    node.home.mkdir()
    with (
        open(node.home / "node.log", "wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "flowd.cli", "run", "--port", str(node.port)],
            env=node.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            # Its own folder comes right before its metastore, and after it has begun to listen for signals.
            folder = node.home / "workers" / "0"
            eventually(lambda: folder.exists() or process.poll() is not None, "the node to start")
            process.send_signal(number)
            code = process.wait(10)
        finally:
            process.kill()

    assert code == 0, node.log
    assert '"stopped"' in node.log
