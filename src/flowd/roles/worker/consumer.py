"""Consumer: takes messages from the queue while there are free slots, claims their tries, then acknowledges."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from flowd.db.ledger.claims import Bid
from flowd.domain.assignment import Assignment
from flowd.domain.errors import InvalidMessage
from flowd.domain.ids import InstanceKey
from flowd.queue.base import Claimed, Delivery, Queue
from flowd.queue.message import Outline, SigningKeys, read
from flowd.roles.backoff import patiently
from flowd.roles.worker.claimer import Claimer, new_token
from flowd.roles.worker.slots import Slots

log = structlog.get_logger(__name__)

Start = Callable[[Claimed], None]


class Consumer:
    """receive -> signature -> free slot -> claim, commit -> ack -> start.

    A message is acknowledged only when the ledger has said who runs its try: this worker, or another, or nobody.
    """

    def __init__(
        self,
        queue: Queue,
        claimer: Claimer,
        slots: Slots,
        keys: SigningKeys,
        queues: Sequence[str],
        *,
        message_limit_bytes: int,
        start: Start,
    ) -> None:
        self._queue = queue
        self._claimer = claimer
        self._slots = slots
        self._keys = keys
        self._queues = queues
        self._message_limit_bytes = message_limit_bytes
        self._start = start

    async def run(self) -> None:
        """Take work until cancelled. What has been claimed is started even then."""
        async with self._queue.subscribe(self._queues) as subscription:
            while True:
                free = await self._slots.wait_free()
                deliveries = await patiently("Consumer", partial(subscription.receive, free))
                await asyncio.shield(self._take(deliveries))

    async def _take(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.claimed is not None:
                self._start(delivery.claimed)
        messages = [delivery for delivery in deliveries if delivery.body is not None]
        if messages:
            await self._claim(messages)

    async def _claim(self, deliveries: Sequence[Delivery]) -> None:
        bids: dict[Bid, Delivery] = {}
        known: dict[InstanceKey, Assignment] = {}
        for delivery in deliveries:
            content = await self._read(delivery)
            if content is None:
                continue
            if isinstance(content, Assignment):
                known[content.instance] = content
            bids[Bid(instance=content.instance, try_number=content.try_number, token=new_token())] = delivery
        if not bids:
            return
        # Not acknowledged while the metastore is away: the messages stay with the broker, and are bid for again.
        won = await patiently("Consumer", partial(self._claimer.claim, list(bids), known))
        await asyncio.gather(*(delivery.ack() for delivery in bids.values()))
        for claimed in won:
            if claimed is not None:
                self._start(claimed)

    async def _read(self, delivery: Delivery) -> Assignment | Outline | None:
        try:
            return read(delivery.body or b"", self._keys, limit_bytes=self._message_limit_bytes)
        except InvalidMessage as error:
            log.error("message refused", queue=delivery.queue, reason=str(error))
            await delivery.dead_letter(str(error))
            return None
