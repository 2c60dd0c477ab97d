"""Backoff: growing, jittered pauses while a backend is away."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from flowd.cancellation import Cancellation
from flowd.domain.errors import Unavailable

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)

FIRST_SECONDS = 0.1
MOST_SECONDS = 5.0
REMINDER_SECONDS = 60.0
"""How often the log is told that a backend is still away."""


class Backoff:
    """Pauses that double from FIRST_SECONDS to MOST_SECONDS, each cut short at random.

    The jitter matters: nodes that lost the same backend must not all come back in the same instant.
    """

    def __init__(self) -> None:
        self._seconds = FIRST_SECONDS
        self._agent: str | None = None
        self._told_at = 0.0

    def reset(self) -> None:
        """Begin anew: it went well."""
        self._seconds = FIRST_SECONDS
        if self._agent is not None:
            log.info("the backend is back", agent=self._agent)
            self._agent = None

    def tell(self, agent: str, error: Unavailable, **context: str) -> None:
        """Log that `agent` waits for a backend: at once, then every REMINDER_SECONDS until the reset.

        A node has a dozen agents, and each asks every few seconds: an outage of an hour must not fill the log.
        """
        now = asyncio.get_running_loop().time()
        is_new = self._agent is None or now - self._told_at >= REMINDER_SECONDS
        if is_new:
            self._agent, self._told_at = agent, now
        log.log(
            logging.WARNING if is_new else logging.DEBUG,
            "waiting for a backend",
            agent=agent,
            error=str(error),
            **context,
        )

    async def pause(self) -> None:
        """Wait, and longer the next time."""
        await asyncio.sleep(random.uniform(self._seconds / 2, self._seconds))
        self._seconds = min(self._seconds * 2, MOST_SECONDS)


async def patiently(what: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return the answer of `ask`, asked again for as long as a backend is away; `what` is said in the log."""
    backoff, cancellation = Backoff(), Cancellation()
    while True:
        try:
            answer = await ask()
        except Unavailable as error:
            cancellation.heed()
            backoff.tell(what, error)
        else:
            backoff.reset()
            return answer
        await backoff.pause()
