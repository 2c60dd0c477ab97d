"""Backoff: growing, jittered pauses while a backend is away."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from flowd.domain.errors import Unavailable

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)

FIRST_SECONDS = 0.1
MOST_SECONDS = 5.0


class Backoff:
    """Pauses that double from FIRST_SECONDS to MOST_SECONDS, each cut short at random.

    The jitter matters: nodes that lost the same backend must not all come back in the same instant.
    """

    def __init__(self) -> None:
        self._seconds = FIRST_SECONDS

    def reset(self) -> None:
        """Begin anew: it went well."""
        self._seconds = FIRST_SECONDS

    async def pause(self) -> None:
        """Wait, and longer the next time."""
        await asyncio.sleep(random.uniform(self._seconds / 2, self._seconds))
        self._seconds = min(self._seconds * 2, MOST_SECONDS)


async def patiently(what: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return the answer of `ask`, asked again for as long as a backend is away; `what` is said in the log."""
    backoff = Backoff()
    while True:
        try:
            return await ask()
        except Unavailable as error:
            log.warning("waiting for a backend", agent=what, error=str(error))
        await backoff.pause()
