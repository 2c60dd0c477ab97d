"""Publisher: sends messages that must arrive, ten at a time, and believes SQS of each one by one."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

from flowd.queue.sqs.client import NoSuchQueue, SqsClient, SqsUnavailable
from flowd.queue.sqs.topology import Topology

MOST_MESSAGES = 10
MOST_BYTES = 256 * 1024
"""Of one message, and of a batch together. SQS takes 1 MiB since 2025; queues made before that take this much."""

_BATCHES_AT_ONCE = 8

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message and the name at SQS of the queue it goes to."""

    queue: str
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)


class Publisher:
    """Batches of letters, several under way at once."""

    def __init__(self, client: SqsClient, topology: Topology, *, deadline: timedelta) -> None:
        self._client = client
        self._topology = topology
        self._deadline_seconds = deadline.total_seconds()

    async def publish(self, letters: Sequence[Letter]) -> list[bool]:
        """Say of each letter, in order, whether SQS has it; False for all that is not sure in time."""
        confirmed = [False] * len(letters)
        some = asyncio.Semaphore(_BATCHES_AT_ONCE)

        async def send(batch: Sequence[int]) -> None:
            async with some:
                await self._send_or_log(letters, batch, confirmed)

        try:
            async with asyncio.timeout(self._deadline_seconds), asyncio.TaskGroup() as group:
                for batch in batches(letters):
                    group.create_task(send(batch))
        except TimeoutError:
            log.warning("messages not confirmed", missing=confirmed.count(False), reason="no confirmation in time")
        return confirmed

    async def _send_or_log(self, letters: Sequence[Letter], batch: Sequence[int], confirmed: list[bool]) -> None:
        try:
            try:
                await self._send(letters, batch, confirmed)
            except NoSuchQueue:
                # Deleted since we last saw it: it is made again.
                self._topology.forget(letters[batch[0]].queue)
                await self._send(letters, batch, confirmed)
        except SqsUnavailable as exc:
            log.warning("messages not confirmed", missing=len(batch), reason=str(exc))

    async def _send(self, letters: Sequence[Letter], batch: Sequence[int], confirmed: list[bool]) -> None:
        url = await self._topology.url(letters[batch[0]].queue)
        entries = [_entry(index, letters[index]) for index in batch]
        answer = await self._client.call(
            "send_message_batch", seconds=self._deadline_seconds, QueueUrl=url, Entries=entries
        )
        for entry in answer.get("Successful", ()):
            confirmed[int(entry["Id"])] = True
        if failed := answer.get("Failed", ()):
            reasons = sorted({f"{entry.get('Code')}: {entry.get('Message', '')}" for entry in failed})
            log.warning("messages not confirmed", missing=len(failed), reason="; ".join(reasons)[:500])


def batches(letters: Sequence[Letter]) -> Iterator[list[int]]:
    """Divide the indexes of `letters` into what one call may carry; a letter too long for any call goes alone."""
    by_queue: dict[str, list[int]] = {}
    for index, letter in enumerate(letters):
        by_queue.setdefault(letter.queue, []).append(index)
    for indexes in by_queue.values():
        batch: list[int] = []
        size = 0
        for index in indexes:
            length = _length(letters[index])
            if batch and (len(batch) == MOST_MESSAGES or size + length > MOST_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(index)
            size += length
        yield batch


def _length(letter: Letter) -> int:
    texts = (letter.body, *letter.attributes, *letter.attributes.values())
    # SQS counts the type of each attribute as well.
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + len("String") * len(letter.attributes)


def _entry(index: int, letter: Letter) -> dict[str, Any]:
    entry: dict[str, Any] = {"Id": str(index), "MessageBody": letter.body}
    if letter.attributes:
        entry["MessageAttributes"] = {
            name: {"DataType": "String", "StringValue": value} for name, value in letter.attributes.items()
        }
    return entry
