"""RabbitMQ: the server that `make services` starts, and queues on it."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

import aio_pika

from bench.servers.unreachable import unreachable

VARIABLE = "FLOWD_TEST_AMQP_URL"


def amqp_url() -> str:
    """The server on which queues may be made."""
    return os.environ.get(VARIABLE) or "amqp://guest:guest@127.0.0.1:5672/"


@contextmanager
def own_queues(prefix: str) -> Iterator[None]:
    """Delete the queues that a cluster made under `prefix` at the end."""
    try:
        yield
    finally:
        asyncio.run(delete_queues(f"{prefix}.tasks.default", f"{prefix}.doorbell", f"{prefix}.dead"))


async def delete_queues(*names: str) -> None:
    """Delete the queues; one that does not exist is no error."""
    try:
        connection = await aio_pika.connect(amqp_url())
    except (OSError, aio_pika.exceptions.AMQPError) as error:
        raise unreachable("RabbitMQ", VARIABLE, error) from error
    async with connection:
        channel = await connection.channel()
        for name in names:
            await channel.queue_delete(name)
