"""Pruner: deletes finished runs that are older than the retention, once an hour."""

import asyncio
from dataclasses import asdict
from datetime import timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from flowd.db.metastore import Metastore
from flowd.db.retention import delete_finished_runs
from flowd.domain.errors import Unavailable

log = structlog.get_logger(__name__)

EVERY = timedelta(hours=1)
JITTER = timedelta(minutes=5)


class Pruner:
    """Keeps history as long as it is asked to; a retention of None keeps it for ever."""

    def __init__(self, metastore: Metastore, retention: timedelta | None) -> None:
        self._metastore = metastore
        self._retention = retention

    async def run(self) -> None:
        """Prune every hour until cancelled; the jitter keeps several schedulers from pruning together."""
        timer = AsyncIOScheduler(timezone="UTC")
        trigger = IntervalTrigger(seconds=int(EVERY.total_seconds()), jitter=int(JITTER.total_seconds()))
        timer.add_job(self.prune, trigger, coalesce=True, max_instances=1)
        timer.start()
        try:
            await asyncio.Event().wait()
        finally:
            timer.shutdown(wait=False)

    async def prune(self) -> None:
        """Delete what is older than the retention; leave it to the next hour where the metastore is away."""
        if self._retention is None:
            return
        try:
            counts = await delete_finished_runs(self._metastore, older_than=self._retention)
        except Unavailable as error:
            log.warning("not pruned", error=str(error))
        else:
            log.info("pruned", **asdict(counts))
