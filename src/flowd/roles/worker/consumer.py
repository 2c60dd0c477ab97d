"""Consumer: takes messages from the queue while there are free slots, claims their tries, then acknowledges."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from flowd.cancellation import Cancellation
from flowd.db.ledger.claims import Bid
from flowd.domain.assignment import Assignment
from flowd.domain.errors import InvalidMessage, Unavailable
from flowd.domain.ids import ClaimToken
from flowd.queue.base import Claimed, Delivery, Queue
from flowd.queue.message import Outline, SigningKeys, read
from flowd.queue.structured import finish_despite_cancel
from flowd.roles.backoff import Backoff, patiently
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
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Take work until cancelled, whatever fails meanwhile. What a claim under way still wins then is given back.

        It may be run again after that.
        """
        self._stopping.clear()
        backoff, cancellation = Backoff(), Cancellation()
        while True:
            try:
                await self._consume(backoff, cancellation)
            except Unavailable as error:
                backoff.tell("Consumer", error)
            except Exception:
                log.exception("consuming failed", queues=self._queues)
            # A task group that fails in the same moment has put its error in the place of the cancellation.
            cancellation.heed()
            await backoff.pause()

    async def _consume(self, backoff: Backoff, cancellation: Cancellation) -> None:
        async with self._queue.subscribe(self._queues) as subscription:
            size = self._slots.size
            # A worker made smaller subscribes anew: what is under way to it was meant for the room that it had.
            while self._slots.size >= size:
                size = self._slots.size
                free = await self._slots.wait_free()
                await self._take(await patiently("Consumer", partial(subscription.receive, free)))
                cancellation.heed()
                backoff.reset()

    async def _take(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.claimed is not None:
                self._start(delivery.claimed)
        messages = [delivery for delivery in deliveries if delivery.body is not None]
        if messages:
            won = await finish_despite_cancel(
                self._claim(messages), hurry=self._stopping.set, undo=self._claimer.give_up
            )
            for claimed in won:
                self._start(claimed)

    async def _claim(self, deliveries: Sequence[Delivery]) -> list[Claimed]:
        bids: dict[Bid, Delivery] = {}
        known: dict[ClaimToken, Assignment] = {}
        # At once: where junk comes by the thousand, each piece must not wait for the last one to be put aside.
        contents = await asyncio.gather(*(self._read(delivery) for delivery in deliveries))
        for delivery, content in zip(deliveries, contents, strict=True):
            if content is None:
                continue
            bid = Bid(instance=content.instance, try_number=content.try_number, leg=content.leg, token=new_token())
            bids[bid] = delivery
            if isinstance(content, Assignment):
                known[bid.token] = content
        if not bids:
            return []
        won = await self._bid(list(bids), known)
        await asyncio.gather(*(delivery.ack() for delivery in bids.values()))
        return [claimed for claimed in won if claimed is not None]

    async def _bid(self, bids: Sequence[Bid], known: Mapping[ClaimToken, Assignment]) -> list[Claimed | None]:
        """Bid until the metastore answers, or until told to stop: what is not acknowledged stays with the broker."""
        backoff = Backoff()
        while True:
            try:
                return await self._claimer.claim(bids, known)
            except Unavailable as error:
                backoff.tell("Consumer", error)
                await backoff.pause()
                if self._stopping.is_set():
                    raise

    async def _read(self, delivery: Delivery) -> Assignment | Outline | None:
        try:
            return read(delivery.body or b"", self._keys, limit_bytes=self._message_limit_bytes)
        except InvalidMessage as error:
            log.error("message refused", queue=delivery.queue, reason=str(error))
            await delivery.dead_letter(str(error))
            return None
