"""Doorbell: how workers tell a scheduler which runs have news. Transient, unconfirmed, at most once."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from flowd.domain.errors import Unavailable
from flowd.domain.ids import RunKey
from flowd.queue.amqp.connection import LinkBroken, answer
from flowd.queue.amqp.link import Link
from flowd.queue.amqp.topology import Topology, close_channel, open_channel
from flowd.queue.coalesced import Coalesced
from flowd.queue.structured import alongside

RING_SECONDS = 0.5
OPENING_SECONDS = 2.0
RETRY_SECONDS = 1.0
LONGEST_RING_BYTES = 1024 * 1024

log = structlog.get_logger(__name__)


class Bell:
    """The side that rings. Rings that come while one is being sent go together in the next."""

    def __init__(self, link: Link, topology: Topology) -> None:
        self._link = link
        self._topology = topology
        self._pending: set[RunKey] = set()
        self._channel: AbstractChannel | None = None
        self._sending = asyncio.Lock()

    async def ring(self, runs: Sequence[RunKey]) -> None:
        """Send the keys of `runs`; drop them where the broker is away or holds publishers back."""
        self._pending.update(runs)
        async with self._sending:
            if not self._pending:
                return
            keys, self._pending = sorted(self._pending), set()
            with suppress(LinkBroken):
                await answer(self._send(keys), RING_SECONDS)

    async def _send(self, keys: Sequence[RunKey]) -> None:
        connection = self._link.current
        # Unconfirmed messages to a broker that does not read would pile up in our memory.
        if connection is None or await connection.is_blocked():
            return
        if self._channel is None or self._channel.is_closed:
            self._channel = await open_channel(connection, publisher_confirms=False)
        message = Message(json.dumps(keys).encode(), delivery_mode=DeliveryMode.NOT_PERSISTENT, app_id="flowd")
        await self._channel.default_exchange.publish(message, self._topology.doorbell, mandatory=False)


class Door:
    """The side that listens; the schedulers at one door take turns."""

    def __init__(self, link: Link, topology: Topology) -> None:
        self._link = link
        self._topology = topology

    @asynccontextmanager
    async def rings(self) -> AsyncIterator[AsyncIterator[frozenset[RunKey]]]:
        """Listen for the time of the context; waits up to two seconds for the broker, and goes on trying after that."""
        heard: Coalesced[RunKey] = Coalesced()
        is_listening = asyncio.Event()
        async with alongside(self._listen(heard, is_listening)):
            with suppress(TimeoutError):
                async with asyncio.timeout(OPENING_SECONDS):
                    await is_listening.wait()
            yield heard

    async def _listen(self, heard: Coalesced[RunKey], is_listening: asyncio.Event) -> None:
        while True:
            try:
                await self._listen_once(heard, is_listening)
            except Unavailable as exc:
                log.warning("doorbell interrupted", reason=str(exc))
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self, heard: Coalesced[RunKey], is_listening: asyncio.Event) -> None:
        is_lost = asyncio.Event()

        async def hear(message: AbstractIncomingMessage) -> None:
            heard.add(run_keys(message.body))

        async def on_consumer_lost(frame: Any) -> None:
            is_lost.set()

        def on_close(closed: AbstractChannel | None, exc: BaseException | None) -> None:
            is_lost.set()

        channel = await open_channel(await self._link.connection())
        try:
            channel.close_callbacks.add(on_close)
            (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(on_consumer_lost)
            queue = await self._topology.declare_doorbell(channel)
            await answer(queue.consume(hear, no_ack=True))
            is_listening.set()
            await is_lost.wait()
        finally:
            await close_channel(channel)


def run_keys(body: bytes) -> list[RunKey]:
    """Read a ring; one that cannot be read rings nobody. Rings are hints, so they need no signature."""
    if len(body) > LONGEST_RING_BYTES:
        return []
    try:
        keys = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return [RunKey(key) for key in keys if type(key) is int] if isinstance(keys, list) else []
