"""NodeProcess: one `flowd run` to be measured from outside."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.cluster.waiting import WaitedInVain, wait_until

READY = b'"event": "ready"'
DRAIN_SECONDS = 20.0


class NodeProcess:
    """A node. Its home is `home`, its output `home/node.log`."""

    def __init__(self, home: Path, roles: str, port: int, environ: Mapping[str, str]) -> None:
        """Start it."""
        home.mkdir(parents=True)
        self._log = home / "node.log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flowd.cli", "run", "--roles", roles, "--port", str(port)],
                env=node_environment(environ, home),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return when the node says that it is ready; raise WaitedInVain with its last words where it does not."""
        try:
            wait_until(lambda: READY in self._log.read_bytes() or self._process.poll() is not None, "a ready node")
        except WaitedInVain as error:
            raise WaitedInVain(f"{error}; it said:\n{self._last_words()}") from None
        if self._process.poll() is not None:
            raise WaitedInVain(f"the node ended at once with {self._process.returncode}:\n{self._last_words()}")

    def stop(self) -> None:
        """Drain it, or kill it where that takes too long."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def node_environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return this process's environment with the node's settings in place of any it has."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWD_")}
    return {**kept, "FLOWD_HOME": str(home), **environ}


def free_port() -> int:
    """Return a port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
