"""Redeliverer: rings again for queued instances whose message may be lost."""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from flowd.db.assignments import assignments
from flowd.db.graphs import Graphs
from flowd.db.ledger import dispatch, write
from flowd.db.metastore import Metastore
from flowd.domain.assignment import Assignment
from flowd.domain.task_instance import TaskInstance
from flowd.queue.base import Queue
from flowd.roles.bulkhead import one_by_one_in_trouble
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
        async with self._metastore.transaction(is_brief=True) as tx:
            overdue = await dispatch.to_ring_again(tx, hold_off=write.UNDISPATCHED_PATIENCE, limit=_MOST_RINGS)
        if not overdue:
            return False
        log.info("ringing again", count=len(overdue))
        built = await one_by_one_in_trouble(
            "Redeliverer", overdue, self._messages, names=lambda instance: {"task": instance.label}
        )
        messages = [pair for pairs in built for pair in pairs]
        confirmed = await self._queue.publish([message for _, message in messages])
        sent = [instance for (instance, _), is_confirmed in zip(messages, confirmed, strict=True) if is_confirmed]
        if sent:
            async with self._metastore.transaction(is_brief=True) as tx:
                await dispatch.mark_dispatched(tx, sent)
        # A queue that confirms nothing is away: the next look is for after the interval.
        return len(sent) == _MOST_RINGS

    async def _messages(self, overdue: Sequence[TaskInstance]) -> list[tuple[TaskInstance, Assignment]]:
        async with self._metastore.glance() as tx:
            return list(zip(overdue, await assignments(tx, self._graphs, overdue), strict=True))
