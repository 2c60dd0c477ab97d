"""AmqpGraveyard: the dead letters of RabbitMQ, looked at, sent back and discarded.

A message is looked at by taking it from the queue; with the channel it is taken on it goes back to its place.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from flowd.domain.errors import QueueUnavailable
from flowd.queue.amqp.connection import LinkBroken, answer
from flowd.queue.amqp.link import Link
from flowd.queue.amqp.publisher import Letter, Publisher
from flowd.queue.amqp.topology import Topology, passing_channel
from flowd.queue.base import MOST_DEAD_LETTERS, DeadLetter, dead_letter_id
from flowd.queue.message import SigningKeys, queue_of

PATIENCE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Taken:
    """A dead letter in hand."""

    message: AbstractIncomingMessage
    letter: DeadLetter


class AmqpGraveyard:
    """What is in the queue for dead letters."""

    def __init__(self, link: Link, topology: Topology, publisher: Publisher, keys: SigningKeys) -> None:
        self._link = link
        self._topology = topology
        self._publisher = publisher
        self._keys = keys

    async def look(self, limit: int) -> Sequence[DeadLetter]:
        """Return the first dead letters."""
        async with self._taken(min(limit, MOST_DEAD_LETTERS)) as taken:
            return [one.letter for one in taken]

    async def send_back(self, ids: Collection[str]) -> Collection[str]:
        """Send those with these ids to where they came from."""
        async with self._taken(MOST_DEAD_LETTERS) as taken:
            known = [one for one in taken if one.letter.id in ids and one.letter.queue is not None]
            confirmed = await self._publisher.publish(
                [Letter(queue=self._topology.tasks(one.letter.queue or ""), body=one.letter.body) for one in known]
            )
            return await _removed([one for one, is_safe in zip(known, confirmed, strict=True) if is_safe])

    async def discard(self, ids: Collection[str]) -> Collection[str]:
        """Remove those with these ids."""
        async with self._taken(MOST_DEAD_LETTERS) as taken:
            return await _removed([one for one in taken if one.letter.id in ids])

    @asynccontextmanager
    async def _taken(self, limit: int) -> AsyncIterator[list[Taken]]:
        """Take the first messages; what is not acknowledged in the context goes back."""
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                connection = await self._link.connection()
                await self._topology.declare(connection, [])
                async with passing_channel(connection) as channel:
                    queue = await channel.get_queue(self._topology.dead, ensure=False)
                    taken: list[Taken] = []
                    while len(taken) < limit:
                        message = await answer(queue.get(no_ack=False, fail=False))
                        if message is None:
                            break
                        taken.append(self._read(message))
                    yield taken
        except TimeoutError as exc:
            raise QueueUnavailable(f"the broker's dead letters: no answer in time ({self._link.last_failure})") from exc
        except LinkBroken as exc:
            raise QueueUnavailable(f"the broker's dead letters cannot be read: {exc}") from exc

    def _read(self, message: AbstractIncomingMessage) -> Taken:
        # What the broker buried by itself, for it came too often, has no word of ours; but it is signed.
        queue = _text(message.headers.get("queue")) or queue_of(message.body, self._keys)
        reason = _text(message.headers.get("reason")) or _text(message.headers.get("x-first-death-reason"))
        letter = DeadLetter(id=dead_letter_id(message.body), body=message.body, queue=queue, reason=reason)
        return Taken(message, letter)


async def _removed(taken: Sequence[Taken]) -> Collection[str]:
    for one in taken:
        await answer(one.message.ack())
    return {one.letter.id for one in taken}


def _text(header: Any) -> str | None:
    match header:
        case bytes():
            return header.decode("utf-8", "replace")
        case str():
            return header
        case _:
            return None
