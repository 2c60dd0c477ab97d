"""Ear: one channel on which a subscription takes messages, never more than it has room for.

Measured on RabbitMQ 3.10 quorum queues over loopback: fetching one message after another brings 1,070/s, opening a
consumer with prefetch n and closing it again 590/s for n = 1 and 3,000/s for n = 8. So a few are fetched, many are
consumed; and only a consumer can wait, for the broker pushes to it.

Opening a consumer and closing it are entries in the log of a quorum queue, each with an fsync. A worker that is mostly
idle therefore opens it for half its room, and leaves it open for as long as that half is still free. Where more waits
than fits, it is opened for all the room: as many as fit come at once, and then it is closed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from flowd.queue.amqp.connection import BrokerConnection, answer
from flowd.queue.amqp.topology import Topology, close_channel, open_channel
from flowd.queue.shares import shares

FETCHED_PER_QUEUE = 2

HALVED_FROM = 4
"""With less room than this a consumer is always opened for all of it."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message in hand, and the queue it came from as tasks call it."""

    queue: str
    message: AbstractIncomingMessage


@dataclass(slots=True)
class Turn:
    """One call of `receive`: how many it takes, and whether it is still wanted.

    After `patience_seconds` without a message the ear is given up and another is opened: RabbitMQ can lose a consumer
    without a word, for instance where its queue is deleted and at once made again.
    """

    free: int
    patience_seconds: float
    is_over: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """Stop waiting: it is not wanted any more, or nothing will come."""
        self.is_over = True
        self.wake.set()


class Ear:
    """A channel that fetches or consumes from several queues in turn, fairly."""

    def __init__(
        self, connection: BrokerConnection, channel: AbstractChannel, queues: Mapping[str, AbstractQueue]
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._queues = list(queues.items())
        self._prefetch = 0
        self._consumers: list[tuple[AbstractQueue, str]] = []
        self._room = 0
        """How many messages the open consumers may bring before one is acknowledged."""
        self._inbox: list[Received] = []
        self._handed_over: Sequence[Received] = ()
        self._is_filled = False
        """True where the last turn brought all that there was room for: more is likely to wait."""
        self._turn: Turn | None = None
        self._is_spent = False

    @classmethod
    async def open(cls, connection: BrokerConnection, topology: Topology, queues: Sequence[str]) -> Self:
        """Declare `queues` and open a channel for them."""
        names = {queue: topology.tasks(queue) for queue in queues}
        await topology.declare(connection, names.values())
        channel = await open_channel(connection)
        ear = cls(connection, channel, {q: await channel.get_queue(name, ensure=False) for q, name in names.items()})
        channel.close_callbacks.add(ear._on_close)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(ear._on_consumer_lost)
        return ear

    @property
    def is_open(self) -> bool:
        """False once the channel, its connection or one of the queues is gone, or perhaps gone."""
        return self._connection.is_alive and not self._channel.is_closed and not self._is_spent

    async def collect(self, turn: Turn) -> Sequence[Received]:
        """Wait for messages and return up to `turn.free`; none after `turn.end()`, or when it is time to look again.

        Behind it a consumer stays open only where all that it can bring fits into the room that is left.
        Must not be cancelled in the middle of a call: aiormq then closes the channel, and all that is in hand with it.
        Raises LinkBroken; what was in hand then goes back to the queues.
        """
        self._turn = turn
        # Whoever was first is last now, so that a queue that is always full does not starve the others.
        self._queues = self._queues[1:] + self._queues[:1]
        if self._is_unfit(turn):
            await self._stop_consuming()
        if not self._inbox and not self._consumers and turn.free <= FETCHED_PER_QUEUE * len(self._queues):
            await self._fetch(turn)
        if not self._inbox and not turn.is_over:
            await self._consume(turn)
        is_one_deaf = len(self._consumers) < len(self._queues)
        if turn.is_over or is_one_deaf or self._room > turn.free - len(self._inbox):
            await self._stop_consuming()
        taken, self._inbox = self._inbox, []
        self._is_filled = len(taken) >= min(turn.free, self._room or turn.free)
        await self.give_back(taken[turn.free :])
        self._handed_over = taken[: turn.free]
        return self._handed_over

    async def give_back(self, messages: Sequence[Received]) -> None:
        """Return messages to their queues, for other workers to have."""
        for received in messages:
            await answer(received.message.nack(requeue=True))

    async def close(self) -> None:
        """Close the channel; what was not acknowledged goes back to the queues."""
        await close_channel(self._channel)

    def _is_unfit(self, turn: Turn) -> bool:
        """True where the open consumers may bring too many, or far fewer than would fit, or wait to be acknowledged."""
        is_narrow = 2 * self._room <= self._room_for(turn.free)
        return self._room > turn.free or is_narrow or not all(one.message.processed for one in self._handed_over)

    async def _fetch(self, turn: Turn) -> None:
        filled = list(self._queues)
        while filled and len(self._inbox) < turn.free and not turn.is_over:
            name, queue = filled.pop(0)
            message = await answer(queue.get(fail=False, timeout=None))
            if message is not None:
                self._inbox.append(Received(name, message))
                filled.append((name, queue))

    async def _consume(self, turn: Turn) -> None:
        """Wait for a message over consumers that are open, or else are opened now."""
        if not self._consumers:
            await self._start_consuming(turn)
        try:
            async with asyncio.timeout(turn.patience_seconds):
                await turn.wake.wait()
        except TimeoutError:
            # The channel too: one that had a consumer on a deleted queue answers no other consume on that name.
            self._is_spent = True
            turn.end()

    async def _start_consuming(self, turn: Turn) -> None:
        parts = shares(self._room_for(turn.free), len(self._queues))
        for (name, queue), prefetch in zip(self._queues, parts, strict=True):
            if len(self._inbox) >= turn.free or turn.is_over:
                break
            await self._limit(prefetch)
            self._consumers.append((queue, await answer(queue.consume(self._into_inbox(name)))))
            self._room += prefetch

    def _room_for(self, free: int) -> int:
        """Return how many messages consumers opened now may bring at once, of `free` that would fit."""
        return free if self._is_filled or free < HALVED_FROM else free // 2

    async def _stop_consuming(self) -> None:
        # The answer to a cancel is the last word of a consumer: after it nothing more is under way to us.
        for queue, tag in self._consumers:
            await answer(queue.cancel(tag))
        self._consumers, self._room = [], 0

    async def _limit(self, prefetch: int) -> None:
        """Set how many messages a consumer opened from now on may hold."""
        if prefetch != self._prefetch:
            await answer(self._channel.set_qos(prefetch))
            self._prefetch = prefetch

    def _into_inbox(self, queue: str) -> Callable[[AbstractIncomingMessage], Any]:
        async def take(message: AbstractIncomingMessage) -> None:
            self._inbox.append(Received(queue, message))
            if self._turn is not None:
                self._turn.wake.set()

        return take

    async def _on_consumer_lost(self, frame: Any) -> None:
        self._is_spent = True
        self._end_turn()

    def _on_close(self, channel: AbstractChannel | None, exc: BaseException | None) -> None:
        self._end_turn()

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.end()
