"""Topology: the names and kinds of flowd's queues on the broker.

`<prefix>.tasks.<queue>` and `<prefix>.dead` are quorum queues, `<prefix>.doorbell` is a transient one. All are reached
through the default exchange, so that nothing but queues has to exist.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from aio_pika.abc import AbstractChannel, AbstractQueue
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed

from flowd.queue.amqp.connection import CLOSE_SECONDS, BrokerConnection, LinkBroken, answer

LONGEST_NAME_BYTES = 255
DOORBELL_LIFE = timedelta(minutes=1)
DOORBELL_LENGTH = 10_000
_UNLIMITED = 2**31 - 1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """What is called how. `delivery_limit` is how often the broker hands out one message before it buries it."""

    prefix: str = "flowd"
    delivery_limit: int = 20

    @property
    def dead(self) -> str:
        """The queue of messages that nobody could read; it should be empty."""
        return f"{self.prefix}.dead"

    @property
    def doorbell(self) -> str:
        """The queue on which schedulers hear of runs that have news."""
        return f"{self.prefix}.doorbell"

    def tasks(self, queue: str) -> str:
        """The broker's name for the queue that tasks call `queue`; a hash stands for one longer than AMQP allows."""
        name = f"{self.prefix}.tasks.{queue}"
        if len(name.encode()) <= LONGEST_NAME_BYTES:
            return name
        return f"{self.prefix}.tasks.sha256-{hashlib.sha256(queue.encode()).hexdigest()}"

    async def declare(self, connection: BrokerConnection, names: Iterable[str]) -> None:
        """Make the task queues of these broker names, and the one for dead letters, where they do not exist."""
        # Looking at a dead letter counts as a delivery: at the limit that newer brokers have it would be lost.
        await _declare(connection, self.dead, {"x-queue-type": "quorum", "x-delivery-limit": _UNLIMITED})
        arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": self.delivery_limit,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": self.dead,
        }
        for name in names:
            await _declare(connection, name, arguments)

    async def declare_doorbell(self, channel: AbstractChannel) -> AbstractQueue:
        """Make the doorbell: it dies with its broker, and what nobody hears within a minute is dropped."""
        arguments: dict[str, Any] = {
            "x-message-ttl": int(DOORBELL_LIFE.total_seconds() * 1000),
            "x-max-length": DOORBELL_LENGTH,
        }
        return await answer(channel.declare_queue(self.doorbell, durable=False, arguments=arguments))


async def open_channel(connection: BrokerConnection, **options: Any) -> AbstractChannel:
    """Open a channel; raise LinkBroken when that fails."""
    channel = connection.channel(**options)
    await answer(channel.initialize())
    return channel


async def close_channel(channel: AbstractChannel) -> None:
    """Close a channel, however it is; what it had delivered and was not acknowledged goes back to its queue."""
    try:
        await answer(channel.close(), CLOSE_SECONDS)
    except LinkBroken as exc:
        log.debug("channel not closed", reason=str(exc))


async def _declare(connection: BrokerConnection, name: str, arguments: Mapping[str, Any]) -> None:
    try:
        async with passing_channel(connection) as channel:
            await answer(channel.declare_queue(name, durable=True, arguments=dict(arguments)))
    except LinkBroken as exc:
        if not isinstance(exc.__cause__, ChannelPreconditionFailed | ChannelAccessRefused):
            raise
        # An operator made it in another way, or forbids us to make any: one that exists will do.
        log.warning("queue is not as we would have it", queue=name, reason=str(exc))
        async with passing_channel(connection) as channel:
            await answer(channel.declare_queue(name, passive=True))


@asynccontextmanager
async def passing_channel(connection: BrokerConnection) -> AsyncIterator[AbstractChannel]:
    """Open a channel for the time of the context; what was taken on it and not acknowledged then goes back."""
    # The broker closes a channel on which a declaration fails: nothing else may live on it.
    channel = await open_channel(connection)
    try:
        yield channel
    finally:
        await close_channel(channel)
