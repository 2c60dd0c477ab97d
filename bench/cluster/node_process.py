"""NodeProcess: one `flowd run` to be measured from outside."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bench.cluster.waiting import WaitedInVain, wait_until

READY = b'"event": "ready"'
DRAIN_SECONDS = 20.0
LOOK_SECONDS = 0.005


class NodeProcess:
    """A node. Its home is `home`, its output `home/node.log`."""

    def __init__(self, home: Path, roles: str, port: int, environ: Mapping[str, str]) -> None:
        """Prepare it; nothing runs yet."""
        home.mkdir(parents=True)
        self._home = home
        self._log = home / "node.log"
        self._command = [sys.executable, "-m", "flowd.cli", "run", "--roles", roles, "--port", str(port)]
        self._environ = node_environment(environ, home)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process; raise RuntimeError where none runs."""
        if self._process is None:
            raise RuntimeError("the node does not run: it has no process")
        return self._process.pid

    def start(self) -> float:
        """Start it, and return the seconds until it says that it is ready; raise WaitedInVain where it does not."""
        begun = time.monotonic()
        with open(self._log, "wb") as log:
            process = self._process = subprocess.Popen(
                self._command,
                env=self._environ,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(
                lambda: READY in self._log.read_bytes() or process.poll() is not None,
                "a ready node",
                seconds=60,
                every=LOOK_SECONDS,
            )
        except WaitedInVain as error:
            raise WaitedInVain(f"{error}; it said:\n{self._last_words()}") from None
        if process.poll() is not None:
            raise WaitedInVain(f"the node ended at once with {process.returncode}:\n{self._last_words()}")
        return time.monotonic() - begun

    def stop(self) -> None:
        """Drain it, or kill it where that takes too long. One that does not run is left as it is."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def node_environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return this process's environment with the node's settings in place of any it has."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWD_")}
    return {**kept, "FLOWD_HOME": str(home), **environ}
