"""Redeliverer: rings again for queued instances whose message may be lost."""

from datetime import timedelta

import structlog

from flowd.db.assignments import assignments
from flowd.db.graphs import Graphs
from flowd.db.ledger import dispatch, write
from flowd.db.metastore import Metastore
from flowd.queue.base import Queue
from flowd.roles.loop import Loop

log = structlog.get_logger(__name__)

_MOST_RINGS = 500


class Redeliverer:
    """Rings again for queued instances whose message was not confirmed, or not claimed for long. Same try, no harm."""

    def __init__(self, metastore: Metastore, graphs: Graphs, queue: Queue, interval: timedelta) -> None:
        self.loop = Loop("Redeliverer", self.step, interval)
        self._metastore = metastore
        self._graphs = graphs
        self._queue = queue

    async def step(self) -> bool:
        """Ring what is overdue; True where more may be."""
        async with self._metastore.transaction() as tx:
            overdue = await dispatch.to_ring_again(tx, hold_off=write.UNDISPATCHED_PATIENCE, limit=_MOST_RINGS)
            messages = await assignments(tx, self._graphs, overdue)
        if not overdue:
            return False
        log.info("ringing again", count=len(overdue))
        confirmed = await self._queue.publish(messages)
        sent = [instance for instance, is_confirmed in zip(overdue, confirmed, strict=True) if is_confirmed]
        if sent:
            async with self._metastore.transaction() as tx:
                await dispatch.mark_dispatched(tx, sent)
        # A queue that confirms nothing is away: the next look is for after the interval.
        return len(sent) == _MOST_RINGS
