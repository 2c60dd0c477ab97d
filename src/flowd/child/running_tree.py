"""RunningTree: one process tree under a keeper, as the asyncio side sees it."""

import asyncio
from collections.abc import Callable

from flowd.child.frames import Frame
from flowd.child.launch import Ended
from flowd.domain.errors import FlowdError


class KeeperDied(FlowdError):
    """The keeper process is gone. What it ran may still run, unseen: only the owner can know what that means."""


class RunningTree:
    """One process tree that the keeper started, or could not start; made by Keeper.start()."""

    def __init__(self, attempt_id: int, send: Callable[[Frame], None]) -> None:
        loop = asyncio.get_running_loop()
        self.attempt_id = attempt_id
        self.pid: int | None = None
        """The main process, which leads its own session and group; None where it was not started."""
        self._send = send
        # The keeper's death is a value here, too: an exception that nobody waits for would be complained about.
        self._begun: asyncio.Future[KeeperDied | None] = loop.create_future()
        self._ended: asyncio.Future[Ended | KeeperDied] = loop.create_future()

    async def begun(self) -> None:
        """Return when the process runs or is known not to; raise KeeperDied where nobody can know."""
        death = await asyncio.shield(self._begun)
        if death is not None:
            raise death

    async def wait(self) -> Ended:
        """Return how the tree ended, once it has; any number may wait. Raise KeeperDied where nobody can know."""
        ended = await asyncio.shield(self._ended)
        if isinstance(ended, KeeperDied):
            raise ended
        return ended

    def kill(self, reason: str, immediately: bool = False) -> None:
        """Ask for the end of the tree: SIGTERM, grace, SIGKILL; or SIGKILL at once. wait() tells when it is over."""
        if not self._ended.done():
            self._send({"op": "kill", "id": self.attempt_id, "reason": reason, "immediately": immediately})

    def take_start(self, pid: int) -> None:
        """The keeper says that the process runs."""
        self.pid = pid
        self._begun.set_result(None)

    def take_end(self, ended: Ended | KeeperDied) -> None:
        """The keeper says how it ended, or died."""
        if not self._begun.done():
            self._begun.set_result(ended if isinstance(ended, KeeperDied) else None)
        if not self._ended.done():
            self._ended.set_result(ended)
