"""ChunkStore: a place where logs are kept as chunks, which every node can reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flowd.domain.errors import Unavailable


class LogStoreUnavailable(Unavailable):
    """The store of the logs did not answer, or refused; trying again later may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """An object: `size_bytes` of a log, from byte `start` of what one leg of the try wrote."""

    key: str
    leg: int
    start: int
    size_bytes: int


class ChunkStore(Protocol):
    """Where chunks are written; every method raises LogStoreUnavailable."""

    async def chunks(self, path: Path) -> Sequence[Chunk]:
        """Return the chunks of the log at this path, in the order of what was written."""
        ...

    async def put(self, path: Path, leg: int, start: int, data: bytes) -> None:
        """Write the chunk of this leg that begins at `start`, in the place of a shorter one."""
        ...
