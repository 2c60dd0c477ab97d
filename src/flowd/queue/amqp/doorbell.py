"""The doorbell over RabbitMQ: a queue of transient messages, each ring heard at most once."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from flowd.domain.ids import RunKey
from flowd.queue.amqp.connection import LinkBroken, answer
from flowd.queue.amqp.link import Link
from flowd.queue.amqp.topology import Topology, close_channel, open_channel
from flowd.queue.coalesced import Coalesced
from flowd.queue.doorbell import RING_SECONDS, Bell, Door
from flowd.queue.rings import run_keys


class AmqpBell(Bell):
    """Rings are dropped where the broker is away or holds publishers back."""

    def __init__(self, link: Link, topology: Topology) -> None:
        super().__init__()
        self._link = link
        self._topology = topology
        self._channel: AbstractChannel | None = None

    async def _ring_once(self, keys: Sequence[RunKey]) -> None:
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


class AmqpDoor(Door):
    """One consumer of the doorbell's queue."""

    def __init__(self, link: Link, topology: Topology) -> None:
        self._link = link
        self._topology = topology

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
            raise LinkBroken("the broker has ended the consumer of the doorbell")
        finally:
            await close_channel(channel)
