"""LogShipper: brings the logs of tries from this worker's disk to a store of all nodes, while they are written.

What the keeper writes to a file is in the store a second later. What a worker that was killed had not brought there yet
lies in its folder, and its successor ships that. A file is deleted once all of it is in the store.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from flowd.domain.errors import Unavailable
from flowd.logs.chunks import ChunkStore, LogStoreUnavailable
from flowd.logs.source import read_at
from flowd.roles.backoff import Backoff

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
"""How old what a try wrote last may be before it is shipped."""

CLOSED_BYTES = 256 * 1024
"""A chunk of so much is not written anew with what comes behind it: a log of 1 GiB is 4,096 chunks at most."""

CHUNK_BYTES = 8 * 1024 * 1024

FINISH_SECONDS = 5.0
"""How long the end of a try, or of its worker, waits for the store to have the whole log."""

SETTLE_SECONDS = 3.0
"""How long what a dead worker left is watched: its keeper outlives it by 2 seconds, and writes what is left to say."""

_AT_ONCE = 16
_STAGING, _LEFT = "logs", "left-logs"


@dataclass(slots=True)
class _Shipping:
    """A file on its way: its first `closed` bytes are in chunks that stay, its first `shipped` are in the store."""

    file: Path
    path: Path
    leg: int
    closed: int = 0
    shipped: int = 0
    is_finished: bool = False
    """True where nothing more will come into it."""
    is_known: bool = True
    """False where a predecessor may have shipped some of it: the store has to be asked."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class LogShipper:
    """The tries of one worker, whose files lie below its own `home`."""

    def __init__(self, store: ChunkStore, home: Path) -> None:
        self._store = store
        self._home = home
        self._shipping: dict[Path, _Shipping] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._is_away = False

    @property
    def folder(self) -> Path:
        """Where the files lie; its disk is what must have room."""
        return self._home / _STAGING

    def root(self, leg: int) -> Path:
        """Return the folder for the logs of tries in their leg of this number."""
        return self.folder / str(leg)

    def follow(self, file: Path, leg: int) -> None:
        """Ship what comes into this file, which lies below `root(leg)`, until `finish`."""
        self._shipping[file] = _Shipping(file, file.relative_to(self.root(leg)), leg)

    async def finish(self, file: Path) -> None:
        """Return when the store has all of the file, or after 5 seconds; at once while the store is away.

        The file is shipped and deleted in any case, sooner or later.
        """
        one = self._shipping.get(file)
        if one is None:
            return
        one.is_finished = True
        if not self._is_away:
            await self._in_time([one])

    def inherit(self, home: Path) -> None:
        """Take what a dead worker left in its folder, to be shipped by `run`."""
        left = self._home / _LEFT
        found = [home / _STAGING, *((home / _LEFT).iterdir() if (home / _LEFT).is_dir() and home != self._home else ())]
        for folder in found:
            if folder.is_dir():
                left.mkdir(parents=True, exist_ok=True)
                # The folder itself: what its keeper still writes goes with it.
                folder.rename(left / secrets.token_hex(8))

    async def run(self) -> None:
        """Ship until cancelled: what is followed once a second, and what others left."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ship_left(), name="LeftLogs")
            backoff = Backoff()
            while True:
                # One round at a time: a file that cannot be read must not keep those away that come after it.
                if await self._has_shipped(backoff, list(self._shipping.values())):
                    await asyncio.sleep(INTERVAL_SECONDS)

    async def flush(self) -> None:
        """Ship what is left when the worker ends, for 5 seconds at most; its successor ships the rest."""
        for one in self._shipping.values():
            one.is_finished = True
        await self._in_time(list(self._shipping.values()))

    async def _in_time(self, wanted: Sequence[_Shipping]) -> None:
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                await self._ship_all(wanted)
        except (TimeoutError, Unavailable) as error:
            log.warning("logs not shipped yet", count=len(wanted), error=str(error) or "the store is slow")

    async def _has_shipped(self, backoff: Backoff, wanted: Sequence[_Shipping]) -> bool:
        """Ship these; where that fails, say so, pause, and return False."""
        try:
            await self._ship_all(wanted)
        except Unavailable as error:
            self._is_away = True
            backoff.tell("LogShipper", error)
            await backoff.pause()
            return False
        self._is_away = False
        backoff.reset()
        return True

    async def _ship_all(self, wanted: Sequence[_Shipping]) -> None:
        done = await asyncio.gather(*(self._ship(one) for one in wanted), return_exceptions=True)
        for failure in done:
            if failure is not None:
                raise failure

    async def _ship(self, one: _Shipping) -> None:
        async with one.lock, self._slots:
            is_finished = one.is_finished
            if not one.is_known:
                await self._ask(one)
            while (size := _size(one.file)) > one.shipped:
                length = min(size - one.closed, CHUNK_BYTES)
                data = await asyncio.to_thread(_read, one.file, one.closed, length)
                await self._store.put(one.path, one.leg, one.closed, data)
                one.shipped = one.closed + len(data)
                if len(data) >= CLOSED_BYTES:
                    one.closed = one.shipped
            if is_finished:
                self._shipping.pop(one.file, None)
                _delete(one.file, self._home)

    async def _ask(self, one: _Shipping) -> None:
        """Find how far a predecessor has come with this leg."""
        chunks = [chunk for chunk in await self._store.chunks(one.path) if chunk.leg == one.leg]
        one.closed = one.shipped = max((chunk.start + chunk.size_bytes for chunk in chunks), default=0)
        one.is_known = True

    async def _ship_left(self) -> None:
        left = self._home / _LEFT
        if not left.is_dir():
            return
        await asyncio.sleep(SETTLE_SECONDS)
        found = _files_in(left)
        log.info("shipping the logs that a dead worker left", count=len(found))
        backoff = Backoff()
        while not await self._has_shipped(backoff, found):
            pass
        await asyncio.to_thread(shutil.rmtree, left, ignore_errors=True)


def _files_in(left: Path) -> list[_Shipping]:
    """Return the files below `left/ANY/LEG/`."""
    found: list[_Shipping] = []
    for file in left.glob("*/*/**/*.log") if left.is_dir() else ():
        leg = file.relative_to(left).parts[1]
        path = Path(*file.relative_to(left).parts[2:])
        found.append(_Shipping(file, path, int(leg), is_finished=True, is_known=False))
    return found


def _read(file: Path, start: int, length: int) -> bytes:
    try:
        data = read_at(file, start, length)
    except OSError as error:
        raise LogStoreUnavailable(f"the log {file} cannot be read ({error.strerror}); check the disk") from error
    if not data:
        raise LogStoreUnavailable(
            f"the log {file} became shorter while it was shipped; flowd's logs are only appended to"
        )
    return data


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _delete(file: Path, above: Path) -> None:
    """Delete the file, and the folders that are empty then; what cannot be deleted takes room, and no log is lost."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        log.warning("a log that is in the store cannot be deleted here", file=str(file), error=error.strerror)
        return
    folder = file.parent
    while folder != above:
        try:
            os.rmdir(folder)
        except OSError:
            return
        folder = folder.parent
