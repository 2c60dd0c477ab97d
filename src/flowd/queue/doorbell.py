"""Doorbell: how workers tell a scheduler, over a broker, which runs have news. Transient and unconfirmed."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from flowd.cancellation import Cancellation
from flowd.domain.errors import Unavailable
from flowd.domain.ids import RunKey
from flowd.queue.coalesced import Coalesced
from flowd.queue.structured import alongside

RING_SECONDS = 0.5
OPENING_SECONDS = 2.0
RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Bell(ABC):
    """The side that rings. Rings that come while one is being sent go together in the next."""

    def __init__(self) -> None:
        self._pending: set[RunKey] = set()
        self._sending = asyncio.Lock()

    async def ring(self, runs: Sequence[RunKey]) -> None:
        """Send the keys of `runs`; drop them where the broker does not take them at once."""
        self._pending.update(runs)
        async with self._sending:
            if not self._pending:
                return
            keys, self._pending = sorted(self._pending), set()
            await self._ring_once(keys)

    @abstractmethod
    async def _ring_once(self, keys: Sequence[RunKey]) -> None:
        """Send these keys within RING_SECONDS; a broker that is away is no error."""


class Door(ABC):
    """The side that listens; the schedulers at one door take turns."""

    @asynccontextmanager
    async def rings(self) -> AsyncIterator[AsyncIterator[frozenset[RunKey]]]:
        """Listen for the time of the context; waits up to two seconds for the broker, and goes on trying after that."""
        heard: Coalesced[RunKey] = Coalesced()
        is_listening = asyncio.Event()
        async with alongside(self._listen(heard, is_listening)):
            with suppress(TimeoutError):
                async with asyncio.timeout(OPENING_SECONDS):
                    await is_listening.wait()
            yield heard

    async def _listen(self, heard: Coalesced[RunKey], is_listening: asyncio.Event) -> None:
        cancellation = Cancellation()
        while True:
            cancellation.heed()
            try:
                await self._listen_once(heard, is_listening)
            except Unavailable as exc:
                log.warning("doorbell interrupted", reason=str(exc))
                # Of several schedulers that lost the same broker not all come back in the same instant.
                await asyncio.sleep(RETRY_SECONDS * random.uniform(0.5, 1.5))

    @abstractmethod
    async def _listen_once(self, heard: Coalesced[RunKey], is_listening: asyncio.Event) -> None:
        """Put what is heard into `heard`, `is_listening` from when it is; return to be called again at once.

        Raises Unavailable where the broker is away.
        """
