"""LogSource: where logs are read from, by byte offset. LocalLogs are files that this node can see."""

import asyncio
import os
from pathlib import Path
from typing import Protocol


class OpenLog(Protocol):
    """A log as it was when it was opened: it may have grown since, and is never changed."""

    @property
    def size_bytes(self) -> int:
        """How long it was then."""
        ...

    async def read(self, start: int, length: int) -> bytes:
        """Return the bytes from `start` on, `length` of them or what there is."""
        ...


class LogSource(Protocol):
    """One place of logs."""

    async def open(self, path: Path) -> OpenLog | None:
        """Return the log of this path, None where there is none; raise Unavailable where the place is away."""
        ...


class LocalLogs:
    """Logs as files, read in threads."""

    async def open(self, path: Path) -> OpenLog | None:
        """Return the file, None where there is none that can be read."""
        size = await asyncio.to_thread(_size, path)
        return None if size is None else _LocalLog(path, size)


class _LocalLog:
    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self.size_bytes = size_bytes

    async def read(self, start: int, length: int) -> bytes:
        return await asyncio.to_thread(read_at, self._path, start, length)


def read_at(path: Path, start: int, length: int) -> bytes:
    """Return the bytes of a file from `start` on; none where it is gone."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(length)
    except FileNotFoundError:
        return b""


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if not path.is_dir() and os.access(path, os.R_OK) else None
    except OSError:
        return None
