"""Publisher: sends messages that must arrive, all at once, and then waits for the broker's confirmations."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError

from flowd.domain.errors import Unavailable
from flowd.queue.amqp.connection import BrokerConnection, LinkBroken, reason_of
from flowd.queue.amqp.link import Link
from flowd.queue.amqp.topology import Topology, open_channel

WINDOW = 500
"""So many messages are under way at once: enough to keep the broker busy, few enough to bound our memory."""

REFUSED_PAUSES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds before each further attempt with what the broker refused; the first follows the making of its queue."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message and the broker's name of the queue it goes to."""

    queue: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Publisher:
    """Persistent, mandatory, confirmed messages over one link."""

    def __init__(self, link: Link, topology: Topology, *, deadline: timedelta) -> None:
        self._link = link
        self._topology = topology
        self._deadline_seconds = deadline.total_seconds()
        self._channel: AbstractChannel | None = None
        self._channel_of: BrokerConnection | None = None
        self._opening = asyncio.Lock()

    async def publish(self, letters: Sequence[Letter]) -> list[bool]:
        """Say of each letter, in order, whether the broker has it safe; False for all that is not sure in time."""
        confirmed = [False] * len(letters)
        used: list[BrokerConnection] = []
        try:
            async with asyncio.timeout(self._deadline_seconds):
                try:
                    await self._deliver(used, letters, confirmed)
                except LinkBroken as exc:
                    # Whatever the broken one has taken without a word is sent again; twice does no harm.
                    log.info("publishing over another connection", missing=confirmed.count(False), reason=str(exc))
                    await self._deliver(used, letters, confirmed)
        except TimeoutError:
            why = "no confirmation in time" if used else self._link.last_failure
            log.warning("messages not confirmed", missing=confirmed.count(False), reason=why)
            await self._link.suspect(used[-1] if used else None)
        except Unavailable as exc:
            log.warning("messages not confirmed", missing=confirmed.count(False), reason=str(exc))
        return confirmed

    async def _deliver(self, used: list[BrokerConnection], letters: Sequence[Letter], confirmed: list[bool]) -> None:
        """Send what is not confirmed yet over the connection of this moment, which is added to `used`."""
        connection = await self._link.connection()
        used.append(connection)
        await connection.unblocked()
        missing = [index for index, is_safe in enumerate(confirmed) if not is_safe]
        for start in range(0, len(missing), WINDOW):
            window = missing[start : start + WINDOW]
            refused = await self._send(connection, letters, window, confirmed)
            for pause in REFUSED_PAUSES:
                if not refused:
                    break
                # No such queue; or one that another node is making this moment: until it has a leader, the broker
                # answers with a nack. Or an operator's limit is reached, and perhaps a worker soon makes room.
                await self._topology.declare(connection, {letters[index].queue for index in refused})
                await asyncio.sleep(pause)
                refused = await self._send(connection, letters, refused, confirmed)
            if refused:
                log.warning("messages refused by the broker", missing=len(refused))

    async def _send(
        self, connection: BrokerConnection, letters: Sequence[Letter], indexes: Sequence[int], confirmed: list[bool]
    ) -> list[int]:
        """Send the letters at `indexes`, tick off what is confirmed, return those that the broker refused."""
        channel = await self._open(connection)

        async def send(index: int) -> None:
            await _publish(channel, letters[index])
            confirmed[index] = True

        # Errors are collected rather than raised: a closing channel gives each call another, CancelledError among them.
        outcomes = await asyncio.gather(*(send(index) for index in indexes), return_exceptions=True)
        failed = [(index, exc) for index, exc in zip(indexes, outcomes, strict=True) if exc is not None]
        broken = [exc for _, exc in failed if not isinstance(exc, DeliveryError)]
        if broken:
            raise LinkBroken(reason_of(broken[0]))
        return [index for index, _ in failed]

    async def _open(self, connection: BrokerConnection) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed or self._channel_of is not connection:
                self._channel = await open_channel(connection, on_return_raises=True)
                self._channel_of = connection
            return self._channel


async def _publish(channel: AbstractChannel, letter: Letter) -> None:
    message = Message(
        letter.body,
        delivery_mode=DeliveryMode.PERSISTENT,
        content_type="text/plain",
        content_encoding="utf-8",
        app_id="flowd",
        headers=dict(letter.headers),
    )
    await channel.default_exchange.publish(message, letter.queue, mandatory=True)
