"""AmqpQueue: task messages and the doorbell over RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

from flowd.domain.assignment import Assignment
from flowd.domain.errors import QueueUnavailable
from flowd.domain.ids import RunKey
from flowd.queue.amqp.connection import LinkBroken
from flowd.queue.amqp.doorbell import AmqpBell, AmqpDoor
from flowd.queue.amqp.graveyard import AmqpGraveyard
from flowd.queue.amqp.link import Link
from flowd.queue.amqp.publisher import Letter, Publisher
from flowd.queue.amqp.subscription import AmqpSubscription
from flowd.queue.amqp.topology import Topology, close_channel, open_channel
from flowd.queue.base import DeadLetter, Queue, Subscription
from flowd.queue.broker_url import BrokerUrl
from flowd.queue.message import DEFAULT_LIMIT_BYTES, SigningKeys
from flowd.queue.outgoing import signed_or_none
from flowd.queue.structured import alongside


class AmqpQueue(Queue):
    """The queue of a cluster with a RabbitMQ broker.

    Publishing and consuming have a connection each: a broker short of memory stops reading from publishers, and must
    not stop reading our acknowledgements. `prefix` begins the name of every queue, so that clusters can share a broker.
    `recheck` bounds how long a consumer that the broker lost without a word goes unnoticed.
    """

    def __init__(
        self,
        url: str,
        keys: SigningKeys,
        *,
        prefix: str = "flowd",
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        delivery_limit: int = 20,
        heartbeat: timedelta = timedelta(seconds=15),
        publish_deadline: timedelta = timedelta(seconds=5),
        recheck: timedelta = timedelta(seconds=30),
    ) -> None:
        self._url = BrokerUrl.parse(url, heartbeat_seconds=round(heartbeat.total_seconds()))
        self._keys = keys
        self._limit_bytes = limit_bytes
        self._publish_deadline = publish_deadline
        self._recheck = recheck
        self._topology = Topology(prefix=prefix, delivery_limit=delivery_limit)
        self._publishing = Link(self._url, name=f"{prefix} publish")
        self._consuming = Link(self._url, name=f"{prefix} consume")
        self._publisher = Publisher(self._publishing, self._topology, deadline=publish_deadline)
        self._graveyard = AmqpGraveyard(self._consuming, self._topology, self._publisher, keys)
        self._bell = AmqpBell(self._publishing, self._topology)
        self._door = AmqpDoor(self._consuming, self._topology)

    async def publish(self, assignments: Sequence[Assignment]) -> Sequence[bool]:
        """Send task messages, each to the queue it names; say which the broker has confirmed in time."""
        letters = [self._letter(assignment) for assignment in assignments]
        confirmed = iter(await self._publisher.publish([letter for letter in letters if letter is not None]))
        return [letter is not None and next(confirmed) for letter in letters]

    @asynccontextmanager
    async def subscribe(self, queues: Sequence[str]) -> AsyncIterator[Subscription]:
        """Open an ear on `queues`; they are created with the first `receive`, when the broker can be reached."""
        subscription = AmqpSubscription(
            queues, self._consuming, self._topology, undertaker=self._publisher, recheck=self._recheck
        )
        try:
            yield subscription
        finally:
            await subscription.close()

    async def ring(self, runs: Sequence[RunKey]) -> None:
        """Ring at one scheduler's door."""
        await self._bell.ring(runs)

    def rings(self) -> AbstractAsyncContextManager[AsyncIterator[frozenset[RunKey]]]:
        """Open the doorbell; of several listeners each ring reaches one."""
        return self._door.rings()

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Return the first messages that were put aside."""
        return await self._graveyard.look(limit)

    async def send_back(self, ids: Collection[str]) -> Collection[str]:
        """Send dead letters to where they came from."""
        return await self._graveyard.send_back(ids)

    async def discard(self, ids: Collection[str]) -> Collection[str]:
        """Remove dead letters for good."""
        return await self._graveyard.discard(ids)

    async def check(self) -> None:
        """Return when the broker opens a channel; raise QueueUnavailable with the reason when not in time."""
        try:
            async with asyncio.timeout(self._publish_deadline.total_seconds()):
                await close_channel(await open_channel(await self._publishing.connection()))
        except TimeoutError as exc:
            reason = self._publishing.last_failure
            raise QueueUnavailable(f"the broker {self._url} does not answer: {reason}") from exc
        except LinkBroken as exc:
            raise QueueUnavailable(f"the broker {self._url} does not answer: {exc}") from exc

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Own both connections. Returns before they are up: a node starts, and waits, without its broker."""
        async with alongside(self._run_links()):
            yield

    async def _run_links(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._publishing.run())
            group.create_task(self._consuming.run())

    def _letter(self, assignment: Assignment) -> Letter | None:
        body = signed_or_none(assignment, self._keys, limit_bytes=self._limit_bytes)
        if body is None:
            return None
        return Letter(queue=self._topology.tasks(assignment.queue), body=body)
