"""Loop: how an agent of a role goes round: woken by a bell or after its interval, backing off in trouble."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from flowd.cancellation import Cancellation
from flowd.domain.errors import Unavailable
from flowd.roles.backoff import Backoff

log = structlog.get_logger(__name__)


class Bell:
    """A wake-up for one loop: rung any number of times, heard once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the loop now, or at its next turn where it is busy."""
        self._event.set()

    async def wait(self, seconds: float | None) -> None:
        """Return when rung, or after that many seconds; None waits for the bell alone."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


class Loop:
    """Calls `step` for ever: at once where it answers True (more to do), else when rung or after `interval`.

    A step that fails is logged and tried again after a growing, jittered pause: the loop never ends by itself.
    A step may also answer a timedelta: the longest it wants to wait this time.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[bool | timedelta]],
        interval: timedelta,
        bell: Bell | None = None,
    ) -> None:
        self.name = name
        self.bell = bell or Bell()
        self._step = step
        self._interval = interval

    async def run(self) -> None:
        """Go round until cancelled."""
        backoff, cancellation = Backoff(), Cancellation()
        while True:
            cancellation.heed()
            try:
                answer = await self._step()
            except Unavailable as error:
                backoff.tell(self.name, error)
            except Exception:
                log.exception("step failed", agent=self.name)
            else:
                cancellation.heed()
                backoff.reset()
                if answer is not True:
                    pause = min(answer, self._interval) if isinstance(answer, timedelta) else self._interval
                    await self.bell.wait(max(0.0, pause.total_seconds()))
                continue
            await backoff.pause()
