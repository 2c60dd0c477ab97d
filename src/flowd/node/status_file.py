"""StatusFile: says in a file how the node is, for probes that are commands, as a node without the api role needs."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

import structlog

from flowd.domain.errors import InvalidSettings
from flowd.queue.structured import alongside
from flowd.roles.loop import Bell

log = structlog.get_logger(__name__)

RENEWED_SECONDS = 5.0
"""How often the file is written anew: one that is much older is of a node whose event loop stands still."""


class NodeStatus(StrEnum):
    """What stands in the file."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class StatusFile:
    """Keeps the file at `path`; does nothing where that is None."""

    def __init__(self, path: Path | None, *, renewed_seconds: float = RENEWED_SECONDS) -> None:
        self._path = path
        self._renewed_seconds = renewed_seconds
        self._status = NodeStatus.STARTING
        self._bell = Bell()

    def say(self, status: NodeStatus) -> None:
        """Have this stand in the file from the event loop's next turn on. What is stopping is never ready again."""
        if self._status is not NodeStatus.STOPPING:
            self._status = status
            self._bell.ring()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the file for the length of the context, and leave none behind.

        Raises InvalidSettings where it cannot be written at all. One that fails later is logged, and tried again.
        """
        if self._path is None:
            yield
            return
        try:
            self._write(self._path)
        except OSError as error:
            raise InvalidSettings(
                f"the status of the node cannot be written to {self._path} ({error.strerror}); set"
                " FLOWD__NODE__STATUS_FILE to a file in a folder that exists and is flowd's to write to, or unset it"
            ) from error
        try:
            async with alongside(self._renew(self._path)):
                yield
        finally:
            self._path.unlink(missing_ok=True)

    async def _renew(self, path: Path) -> None:
        while True:
            await self._bell.wait(self._renewed_seconds)
            try:
                self._write(path)
            except OSError as error:
                log.warning("the status of the node could not be written", path=str(path), error=str(error))

    def _write(self, path: Path) -> None:
        # A probe never finds half a file. No thread is worth its while: it is tiny, and meant for a disk in memory.
        draft = path.with_name(f".{path.name}")
        draft.write_text(f"{self._status}\n", encoding="ascii")
        os.replace(draft, path)
