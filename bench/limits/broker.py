"""The round trip of one durable message through RabbitMQ: published and confirmed, delivered, acknowledged."""

import asyncio
import secrets
import time

import aio_pika
from aio_pika import DeliveryMode, Message

from bench.figure import Limit, Unit


def broker_limit(url: str, seconds: float) -> Limit:
    """Measure for `seconds` on a quorum queue, which flowd's are too, with one message in flight."""
    return asyncio.run(_broker_limit(url, seconds))


async def _broker_limit(url: str, seconds: float) -> Limit:
    connection = await aio_pika.connect(url)
    values = []
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        name = f"bench-limit-{secrets.token_hex(6)}"
        queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
        try:
            async with queue.iterator() as deliveries:
                begun = time.monotonic()
                while time.monotonic() - begun < seconds:
                    sent = time.monotonic()
                    message = Message(b"{}", delivery_mode=DeliveryMode.PERSISTENT)
                    await channel.default_exchange.publish(message, name)
                    delivery = await anext(deliveries)
                    await delivery.ack()
                    values.append((time.monotonic() - sent) * 1000)
        finally:
            await queue.delete(if_unused=False, if_empty=False)
    return Limit(
        name="broker",
        words="RabbitMQ publish, confirm, consume and ack",
        unit=Unit.MILLISECONDS,
        values=tuple(values),
    )
