"""AmqpSubscription: a worker's ear on named queues, through whatever happens to the broker."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta

import structlog

from flowd.queue.amqp.connection import LinkBroken, answer
from flowd.queue.amqp.ear import Ear, Received, Turn
from flowd.queue.amqp.link import Link
from flowd.queue.amqp.publisher import Letter, Publisher
from flowd.queue.amqp.topology import Topology
from flowd.queue.base import Delivery, Subscription
from flowd.queue.structured import finish_despite_cancel

LONGEST_REASON = 500

log = structlog.get_logger(__name__)


class AmqpSubscription(Subscription):
    """Receives from `queues` over `link`; what nobody can read goes through `undertaker` to the dead letters."""

    def __init__(
        self, queues: Sequence[str], link: Link, topology: Topology, *, undertaker: Publisher, recheck: timedelta
    ) -> None:
        self._queues = tuple(dict.fromkeys(queues))
        self._link = link
        self._topology = topology
        self._undertaker = undertaker
        self._recheck_seconds = recheck.total_seconds()
        self._ear: Ear | None = None
        self._one_at_a_time = asyncio.Lock()

    async def receive(self, free: int) -> Sequence[Delivery]:
        """Wait for work and return between 1 and `free` deliveries; see the port for what is promised."""
        if free < 1:
            raise ValueError(f"receive({free}): ask for at least one delivery")
        async with self._one_at_a_time:
            while True:
                try:
                    messages = await self._collect(await self._open_ear(), free)
                except LinkBroken as exc:
                    log.warning("subscription interrupted", queues=self._queues, reason=str(exc))
                    await self.close()
                    await asyncio.sleep(random.uniform(0.1, 0.3))
                    continue
                if messages:
                    return [self._delivery(received) for received in messages]

    async def close(self) -> None:
        """Close the channel; what was not acknowledged goes back to the queues."""
        ear, self._ear = self._ear, None
        if ear is not None:
            await ear.close()

    async def _open_ear(self) -> Ear:
        if self._ear is None or not self._ear.is_open:
            await self.close()
            connection = await self._link.connection()
            # Cancelled in the middle of a call, aiormq leaves the channel in a state that nobody knows.
            self._ear = await finish_despite_cancel(
                Ear.open(connection, self._topology, self._queues), hurry=_no_sooner, undo=Ear.close
            )
        return self._ear

    async def _collect(self, ear: Ear, free: int) -> Sequence[Received]:
        turn = Turn(free, self._recheck_seconds)
        return await finish_despite_cancel(ear.collect(turn), hurry=turn.end, undo=ear.give_back)

    def _delivery(self, received: Received) -> Delivery:
        async def ack() -> None:
            try:
                await answer(received.message.ack())
            except LinkBroken as exc:
                # Its channel is gone, so the message comes again, and then loses the claim.
                log.debug("message not acknowledged", queue=received.queue, reason=str(exc))

        async def dead_letter(reason: str) -> None:
            headers = {"reason": reason[:LONGEST_REASON], "queue": received.queue}
            letter = Letter(queue=self._topology.dead, body=received.message.body, headers=headers)
            if all(await self._undertaker.publish([letter])):
                await ack()
                return
            try:
                # The broker moves it there by itself, only without our reason.
                await answer(received.message.reject(requeue=False))
            except LinkBroken as exc:
                log.debug("message not put aside", queue=received.queue, reason=str(exc))

        return Delivery(
            body=received.message.body, claimed=None, queue=received.queue, ack=ack, dead_letter=dead_letter
        )


def _no_sooner() -> None:
    """Opening takes three answers, and each has its time: there is nothing to hurry."""
