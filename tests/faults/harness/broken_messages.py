"""Broken messages: what a faulty, hostile or merely slow broker may hand to a worker."""

import asyncio
import random
from collections.abc import Callable, Sequence

import aio_pika

from tests.faults.harness.loop_thread import LoopThread

COLLECT_SECONDS = 120.0

Alteration = Callable[[Sequence[bytes], random.Random], Sequence[bytes]]
"""From the true messages that were taken from a queue to those that are put back."""


def ten_times(messages: Sequence[bytes], deck: random.Random) -> list[bytes]:
    """Each message ten times, in any order."""
    many = list(messages) * 10
    deck.shuffle(many)
    return many


def reordered(messages: Sequence[bytes], deck: random.Random) -> list[bytes]:
    """Each message once, in any order."""
    return deck.sample(list(messages), len(messages))


def truncated(messages: Sequence[bytes], deck: random.Random) -> list[bytes]:
    """The beginnings of the messages: the messages themselves are lost."""
    return [message[: deck.randrange(len(message))] for message in messages]


def badly_signed(messages: Sequence[bytes], deck: random.Random) -> list[bytes]:
    """Other scripts under the signatures of the true ones, beside the true ones."""
    forged = [message.replace(b"note begin", b"echo forged") for message in messages]
    return [*[one for one, true in zip(forged, messages, strict=True) if one != true], *messages]


def swapped(messages: Sequence[bytes], deck: random.Random) -> list[bytes]:
    """Each task's work under another task's signature."""
    headers = [message.partition(b"\n")[0] for message in messages]
    bodies = [message.partition(b"\n")[2] for message in messages]
    return [*(header + b"\n" + body for header, body in zip(headers, bodies[1:] + bodies[:1], strict=True)), *messages]


def huge(messages: Sequence[bytes], deck: random.Random) -> list[bytes]:
    """One message of 16 MiB, before the true ones."""
    return [b"x" * (16 * 1024 * 1024), *messages]


def junk(count: int) -> Alteration:
    """Bytes that mean nothing, before and between the true messages."""

    def alter(messages: Sequence[bytes], deck: random.Random) -> list[bytes]:
        mixed = [deck.randbytes(deck.randrange(64)) for _ in range(count)] + list(messages)
        deck.shuffle(mixed)
        return mixed

    return alter


class Interceptor:
    """Takes all messages from a queue, keeps them, and puts back what an alteration makes of them."""

    def __init__(self, wires: LoopThread, url: str, queue: str) -> None:
        self._wires = wires
        self._url = url
        self._queue = queue

    def take(self, least: int) -> list[bytes]:
        """Return at least so many messages: wait for them, and take all that are there."""
        return self._wires.call(self._take(least))

    def put(self, messages: Sequence[bytes]) -> None:
        """Publish these messages to the queue, confirmed."""
        self._wires.call(self._put(messages), seconds=900)

    async def _take(self, least: int) -> list[bytes]:
        taken: list[bytes] = []
        connection = await aio_pika.connect(self._url)
        async with connection, asyncio.timeout(COLLECT_SECONDS):
            queue = await (await connection.channel()).get_queue(self._queue, ensure=False)
            while len(taken) < least:
                message = await queue.get(fail=False)
                if message is None:
                    await asyncio.sleep(0.05)
                    continue
                taken.append(message.body)
                await message.ack()
        return taken

    async def _put(self, messages: Sequence[bytes]) -> None:
        connection = await aio_pika.connect(self._url)
        async with connection:
            channel = await connection.channel()
            for start in range(0, len(messages), 1000):
                await asyncio.gather(
                    *(
                        channel.default_exchange.publish(aio_pika.Message(body), routing_key=self._queue)
                        for body in messages[start : start + 1000]
                    )
                )
