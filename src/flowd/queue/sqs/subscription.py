"""SqsSubscription: a worker's ear on named queues."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from flowd.queue.base import Delivery, Subscription
from flowd.queue.shares import shares
from flowd.queue.sqs.client import SqsClient
from flowd.queue.sqs.in_hand import InHand, Received
from flowd.queue.sqs.poller import Poller
from flowd.queue.sqs.publisher import Letter, Publisher
from flowd.queue.sqs.topology import Topology
from flowd.queue.structured import alongside

LONGEST_REASON = 500


@dataclass(slots=True)
class Turn:
    """One call of `receive`: what has come so far, and a bell for news of the pollers."""

    inbox: list[Received] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class SqsSubscription(Subscription):
    """Receives from `queues`; what nobody can read goes through `undertaker` to the dead letters."""

    def __init__(
        self,
        queues: Sequence[str],
        client: SqsClient,
        topology: Topology,
        *,
        undertaker: Publisher,
        visibility: timedelta,
        wait: timedelta,
    ) -> None:
        self._topology = topology
        self._undertaker = undertaker
        self._wait_seconds = round(wait.total_seconds())
        self._in_hand = InHand(client, visibility=visibility)
        self._pollers = [
            Poller(queue, client, topology, visibility=visibility, deliver=self._arrive)
            for queue in dict.fromkeys(queues)
        ]
        self._turn: Turn | None = None
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Own the pollers for the time of the context; what is in hand at its end is given back."""
        try:
            async with alongside(self._run()):
                yield
        finally:
            await self._in_hand.close()

    async def receive(self, free: int) -> Sequence[Delivery]:
        """Wait for work and return between 1 and `free` deliveries; see the port for what is promised."""
        if free < 1:
            raise ValueError(f"receive({free}): ask for at least one delivery")
        async with self._one_at_a_time:
            turn = self._turn = Turn()
            kept = 0
            try:
                await self._collect(turn, free)
                kept = free
            finally:
                self._turn = None
                # Beyond what there is room for; all of it where we were cancelled.
                self._in_hand.give_back(turn.inbox[kept:])
            return [self._delivery(message) for message in turn.inbox[:kept]]

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._in_hand.run())
            for poller in self._pollers:
                group.create_task(poller.run())

    async def _collect(self, turn: Turn, free: int) -> None:
        # Whoever was first is last now, so that a queue that is always full does not starve the others.
        self._pollers = self._pollers[1:] + self._pollers[:1]
        if len(self._pollers) > 1:
            await self._look(turn, free)
        while not turn.inbox:
            turn.news.clear()
            for poller, share in zip(self._pollers, shares(free, len(self._pollers)), strict=True):
                if poller.is_idle:
                    poller.ask(share, wait_seconds=self._wait_seconds)
            # Asked again before we give up: they go on trying, so that the next receive finds them mended.
            refusals = [poller.refusal for poller in self._pollers if poller.refusal is not None]
            if len(refusals) == len(self._pollers):
                raise refusals[0]
            await turn.news.wait()

    async def _look(self, turn: Turn, free: int) -> None:
        """Take what is there already, without waiting: no queue is asked for more than there is room for."""
        idle = [poller for poller in self._pollers if poller.is_idle]
        if free >= len(self._pollers):
            for poller, share in zip(idle, shares(free, len(self._pollers)), strict=False):
                poller.ask(share, wait_seconds=0)
            for poller in idle:
                await poller.answered()
            return
        for poller in idle:
            if len(turn.inbox) < free and poller.is_idle:
                poller.ask(free - len(turn.inbox), wait_seconds=0)
                await poller.answered()

    def _arrive(self, messages: Sequence[Received]) -> None:
        self._in_hand.take(messages)
        if self._turn is None:
            # A busy worker keeps nothing from others.
            self._in_hand.give_back(messages)
            return
        self._turn.inbox.extend(messages)
        self._turn.news.set()

    def _delivery(self, message: Received) -> Delivery:
        body = message.body.encode("utf-8", "surrogatepass")

        async def ack() -> None:
            await self._in_hand.ack(message)

        async def dead_letter(reason: str) -> None:
            attributes = {"reason": reason[:LONGEST_REASON], "queue": message.queue}
            letter = Letter(queue=self._topology.dead, body=message.body, attributes=attributes)
            if all(await self._undertaker.publish([letter])):
                await self._in_hand.ack(message)
            else:
                # Given back it would be here again at once; SQS buries it by itself when it came too often.
                self._in_hand.let_go(message)

        return Delivery(body=body, claimed=None, queue=message.queue, ack=ack, dead_letter=dead_letter)
