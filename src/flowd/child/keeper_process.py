"""KeeperProcess: the keeper as a child of this asyncio process, without the threads of asyncio's child watcher."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict

from flowd.child.keeper.linux import open_exit_watch
from flowd.child.keeper.warm_limits import WarmLimits

_POLL_SECONDS = 0.05


class KeeperProcess:
    """A started keeper. Its end is seen by a pidfd in the event loop (asyncio's or uvloop's), else by asking."""

    def __init__(self, node_end: socket.socket, env: Mapping[str, str], warm: WarmLimits) -> None:
        """Start it with `node_end` as its socket to the node, in a session of its own; raise OSError where refused."""
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[int] = self._loop.create_future()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "flowd.child.keeper", str(node_end.fileno()), json.dumps(asdict(warm))],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[node_end.fileno()],
            start_new_session=True,
        )
        self._watch = open_exit_watch(self.pid)
        if self._watch is None:
            self._poll()
        else:
            self._loop.add_reader(self._watch, self._reap)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    async def end(self, patience_seconds: float) -> None:
        """Wait for the exit, and kill the process where it takes longer than that. A cancellation waits until then."""
        deadline: float | None = self._loop.time() + patience_seconds
        cancelled: asyncio.CancelledError | None = None
        while not self._exited.done():
            try:
                async with asyncio.timeout_at(deadline):
                    await asyncio.shield(self._exited)
            except TimeoutError:
                self._process.kill()
                deadline = None
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def _reap(self) -> None:
        if self._watch is not None:
            self._loop.remove_reader(self._watch)
            os.close(self._watch)
        self._exited.set_result(self._process.wait())

    def _poll(self) -> None:
        if self._process.poll() is None:
            self._loop.call_later(_POLL_SECONDS, self._poll)
        else:
            self._reap()
