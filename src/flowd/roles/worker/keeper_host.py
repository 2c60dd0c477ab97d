"""KeeperHost: owns the keeper in use, and opens another where it dies."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import structlog

from flowd.child.keeper_client import Keeper, KeeperDied
from flowd.roles.backoff import MOST_SECONDS, Backoff

log = structlog.get_logger(__name__)


class KeeperHost:
    """Holds one keeper open for as long as `run` runs; `current` is the one to start trees with."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._keeper: Keeper | None = None
        self._changed = asyncio.Event()

    async def current(self) -> Keeper:
        """Return the keeper, once there is one."""
        while self._keeper is None:
            self._changed.clear()
            await self._changed.wait()
        return self._keeper

    async def run(self) -> None:
        """Keep a keeper open until cancelled; everything it runs is killed then."""
        backoff = Backoff()
        while True:
            opened_at = time.monotonic()
            try:
                await self._hold_one()
            except (KeeperDied, OSError) as error:
                log.error("no keeper could be opened; trying again", error=str(error))
            if time.monotonic() - opened_at > MOST_SECONDS:
                backoff.reset()
            await backoff.pause()

    async def _hold_one(self) -> None:
        async with Keeper.open(env=self._environ, on_request=_nobody_asked) as keeper:
            self._keeper = keeper
            self._changed.set()
            try:
                await keeper.closed
            finally:
                self._keeper = None
        log.error("the keeper is gone; opening another", pid=keeper.pid)


async def _nobody_asked(attempt: int, _request: Mapping[str, Any]) -> dict[str, Any]:
    raise KeeperDied(f"attempt {attempt} asked for something without having been started by this worker")
