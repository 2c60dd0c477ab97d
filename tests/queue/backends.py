"""Backends: each queue backend behind the few acts that the conformance suite needs and the port does not have."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from flowd.domain.assignment import Assignment
from flowd.queue.amqp.backend import AmqpQueue
from flowd.queue.base import Delivery, Queue, Wakeups
from flowd.queue.database import DatabaseQueue
from flowd.queue.message import SigningKeys, read
from flowd.queue.sqs.address import SqsAddress
from flowd.queue.sqs.backend import SqsQueue
from flowd.queue.wakeups import InProcessWakeups
from tests.queue.ledger import Ledger

KEYS = SigningKeys.from_secrets(["the cluster's secret"])


class Backend(ABC):
    """One backend under test."""

    keeps_order = True
    """Whether one queue's messages come in the order in which they were sent."""

    hands_out_once = True
    """Whether a message in one subscriber's hand is in no other's."""

    has_dead_letters = True
    """Whether there are messages that can be put aside."""

    @abstractmethod
    def node(self) -> Queue:
        """Return the queue as one more node has it."""

    def steady_node(self) -> Queue:
        """Return the queue as a worker has it that lives for the whole test: nothing in its hands comes again."""
        return self.node()

    @abstractmethod
    async def send(self, node: Queue, assignments: Sequence[Assignment]) -> Sequence[bool]:
        """Do as the Dispatcher does: write to the ledger, then publish."""

    @abstractmethod
    async def lose_workers(self) -> None:
        """Let the time pass after which the work of vanished workers is free again."""

    @abstractmethod
    def assignment(self, delivery: Delivery) -> Assignment:
        """Return what `delivery` holds."""

    def numbers(self, deliveries: Iterable[Delivery]) -> list[int]:
        """Return the task instances' numbers, in order."""
        return [self.assignment(delivery).instance for delivery in deliveries]


class DatabaseBackend(Backend):
    """The database queue over an in-memory ledger; its poll is so slow that only wake-ups can pass the tests."""

    has_dead_letters = False

    def __init__(self, wakeups: Wakeups | None = None) -> None:
        self.ledger = Ledger()
        self._wakeups = wakeups or InProcessWakeups()

    def node(self) -> Queue:
        return DatabaseQueue(
            claim_next=self.ledger.claim_next,
            give_up=self.ledger.give_up,
            wakeups=self._wakeups,
            poll_interval=timedelta(hours=1),
        )

    async def send(self, node: Queue, assignments: Sequence[Assignment]) -> Sequence[bool]:
        self.ledger.queue(assignments)
        return await node.publish(assignments)

    async def lose_workers(self) -> None:
        self.ledger.expire_leases()

    def assignment(self, delivery: Delivery) -> Assignment:
        assert delivery.body is None and delivery.claimed is not None
        return delivery.claimed.assignment


class BrokerBackend(Backend):
    """A broker, which carries signed messages."""

    async def send(self, node: Queue, assignments: Sequence[Assignment]) -> Sequence[bool]:
        confirmed = await node.publish(assignments)
        # Said here: a test that waits for a message which never left would only say that it waited.
        assert all(confirmed), f"not confirmed: {confirmed}"
        return confirmed

    async def lose_workers(self) -> None:
        """Nothing to wait for: the broker notices at once."""

    def assignment(self, delivery: Delivery) -> Assignment:
        assert delivery.body is not None and delivery.claimed is None
        assignment = read(delivery.body, KEYS)
        assert isinstance(assignment, Assignment)
        return assignment


class AmqpBackend(BrokerBackend):
    """RabbitMQ, with queue names of our own."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url = url
        self.prefix = prefix

    def node(self) -> Queue:
        return AmqpQueue(self.url, KEYS, prefix=self.prefix)

    def broker_name(self, queue: str) -> str:
        """Return what the broker calls `queue`."""
        return f"{self.prefix}.tasks.{queue}"

    async def make_a_queue_of_one(self, queue: str) -> None:
        """Make `queue` as an operator may: with room for one message, refusing more."""
        arguments: Any = {"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"}
        async with await aio_pika.connect(self.url) as connection, connection.channel() as channel:
            await channel.declare_queue(self.broker_name(queue), durable=True, arguments=arguments)

    async def wait_for_consumer(self, queue: str) -> None:
        """Wait until `queue` exists and somebody consumes from it."""
        async with await aio_pika.connect(self.url) as connection:
            while not await _count_consumers(connection, self.broker_name(queue)):  # noqa: ASYNC110 (the broker tells nobody)
                await asyncio.sleep(0.02)

    async def consumers(self, queue: str) -> int:
        """Return how many consumers `queue` has."""
        async with await aio_pika.connect(self.url) as connection:
            return await _count_consumers(connection, self.broker_name(queue))

    async def wait_until_handed_out(self, queue: str, left: int) -> None:
        """Wait until at most `left` messages of `queue` have not been handed out, acknowledged or not."""
        async with await aio_pika.connect(self.url) as connection, connection.channel() as channel:
            name = self.broker_name(queue)
            while await _count_waiting(channel, name) > left:  # noqa: ASYNC110 (the broker tells nobody)
                await asyncio.sleep(0.02)

    async def delete(self, names: Iterable[str]) -> None:
        """Delete queues by the broker's names; those that do not exist are nothing to it."""
        async with await aio_pika.connect(self.url) as connection, await connection.channel() as channel:
            for name in names:
                await channel.queue_delete(name)


class SqsBackend(BrokerBackend):
    """A double of SQS, with queue names of our own."""

    keeps_order = False
    # At least once, says SQS, and the double gives one message to two polls that meet: the claim tells them apart.
    hands_out_once = False

    def __init__(self, address: SqsAddress, prefix: str) -> None:
        self.address = address
        self.prefix = prefix

    def node(self, **changes: Any) -> SqsQueue:
        # The double goes on with a poll whose client has left, as SQS does: what that takes is soon to be seen again.
        short: dict[str, Any] = {"visibility": timedelta(seconds=2), "wait": timedelta(seconds=2)}
        # On a busy machine the double takes seconds to make three queues; what is not confirmed is not sent again here.
        patient: dict[str, Any] = {"publish_deadline": timedelta(minutes=1)}
        return SqsQueue(self.address, KEYS, prefix=self.prefix, **(short | patient | changes))

    def steady_node(self) -> SqsQueue:
        # SQS delivers at least once: who deletes a message more slowly than it is hidden sees it again.
        return self.node(visibility=timedelta(minutes=1))


async def _count_waiting(channel: AbstractChannel, name: str) -> int:
    queue = await channel.declare_queue(name, passive=True)
    return queue.declaration_result.message_count or 0


async def _count_consumers(connection: AbstractConnection, name: str) -> int:
    try:
        async with await connection.channel() as channel:
            queue = await channel.declare_queue(name, passive=True)
            return queue.declaration_result.consumer_count or 0
    except ChannelNotFoundEntity:
        return 0
