"""Triggerer: runs the triggers of deferred tasks, each on one worker at a time, for as long as it holds their lease."""

from datetime import timedelta

import structlog

from flowd.db import triggers
from flowd.db.metastore import Metastore
from flowd.domain.ids import ClaimToken, RunKey
from flowd.queue.base import Queue
from flowd.roles.backoff import patiently
from flowd.roles.loop import Bell
from flowd.roles.worker.trigger_holder import TriggerHolder
from flowd.roles.worker.trigger_processes import MakeProcess

log = structlog.get_logger(__name__)


class Triggerer(TriggerHolder):
    """Holds open triggers of the ledger, and writes what they fire.

    An event counts once: whoever is late changes nothing.
    """

    def __init__(
        self,
        metastore: Metastore,
        queue: Queue,
        make_process: MakeProcess,
        *,
        name: str,
        interval: timedelta,
        lease: timedelta,
        deferred: Bell,
    ) -> None:
        super().__init__(metastore, triggers, make_process, name=name, interval=interval, lease=lease, bell=deferred)
        self._queue = queue

    async def _fired(self, token: ClaimToken, news: triggers.News) -> None:
        """Write what a trigger has fired and let its task go on."""

        async def attempt() -> RunKey | None:
            async with self._metastore.transaction() as tx:
                return await triggers.settle(tx, token, news)

        run = await patiently("Triggerer", attempt)
        if run is None:
            log.info("trigger fired too late", token=token)
            return
        await self._queue.ring([run])
