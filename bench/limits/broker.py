"""The round trip of one durable message through a broker: sent and confirmed, received, acknowledged."""

import asyncio
import json
import secrets
import time

import aio_pika
import aioboto3
from aio_pika import DeliveryMode, Message

from bench.figure import Limit, Unit
from bench.servers.sqs import KEY, REGION, SECRET


def rabbitmq_limit(url: str, seconds: float) -> Limit:
    """Measure for `seconds` on a quorum queue, which flowd's are too, with one message in flight."""
    return _limit("rabbitmq", "RabbitMQ publish, confirm, consume and ack", asyncio.run(_rabbitmq(url, seconds)))


def sqs_limit(endpoint: str, seconds: float) -> Limit:
    """Measure for `seconds` on an SQS server, with one message in flight. moto's says nothing about AWS's."""
    return _limit("sqs", "SQS (moto) send, receive and delete", asyncio.run(_sqs(endpoint, seconds)))


def _limit(broker: str, words: str, values: list[float]) -> Limit:
    return Limit(name=f"broker.{broker}", words=words, unit=Unit.MILLISECONDS, values=tuple(values))


async def _rabbitmq(url: str, seconds: float) -> list[float]:
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
    return values


async def _sqs(endpoint: str, seconds: float) -> list[float]:
    session = aioboto3.Session(aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name=REGION)
    values = []
    async with session.client("sqs", endpoint_url=endpoint) as client:
        queue = (await client.create_queue(QueueName="bench-limit"))["QueueUrl"]
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            sent = time.monotonic()
            await client.send_message(QueueUrl=queue, MessageBody=json.dumps({}))
            received = await client.receive_message(QueueUrl=queue, WaitTimeSeconds=5)
            for message in received["Messages"]:
                await client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            values.append((time.monotonic() - sent) * 1000)
    return values
