"""InHand: what a subscription has received and neither acknowledged nor given back.

SQS hides a received message for a while and then hands it out again. Here that while is short, so that the messages of
a worker that died come back soon, and what is in hand for longer, as while the metastore is away, stays hidden.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from flowd.queue.sqs.client import SqsClient, SqsUnavailable

MOST_ENTRIES = 10
GIVE_BACK_SECONDS = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """A message in hand: the queue it came from as tasks call it, where that is, and the right to delete it."""

    queue: str
    url: str
    receipt: str
    body: str


class InHand:
    """Deletes, returns and keeps hidden, ten messages a call. None of it raises: at worst a message comes again."""

    def __init__(self, client: SqsClient, *, visibility: timedelta) -> None:
        self._client = client
        self._visibility_seconds = visibility.total_seconds()
        self._held: set[Received] = set()
        self._to_delete: set[Received] = set()
        self._to_give_back: set[Received] = set()
        self._deleting = asyncio.Lock()
        self._surplus = asyncio.Event()

    def take(self, messages: Iterable[Received]) -> None:
        """Hold `messages`, hidden from others, until they are acknowledged, given back or let go."""
        self._held.update(messages)

    async def ack(self, message: Received) -> None:
        """Delete `message`, together with all that is acknowledged in the same moment."""
        self._held.discard(message)
        self._to_delete.add(message)
        # Those who were started together with us come first.
        await asyncio.sleep(0)
        async with self._deleting:
            if message in self._to_delete:
                batch, self._to_delete = self._to_delete, set()
                await self._change("delete_message_batch", batch)

    def give_back(self, messages: Iterable[Received]) -> None:
        """Let others have `messages` at once."""
        self._to_give_back.update(messages)
        if self._to_give_back:
            self._surplus.set()

    def let_go(self, message: Received) -> None:
        """Leave `message` to come back when it has been hidden for long enough."""
        self._held.discard(message)

    async def run(self) -> None:
        """Give back what is surplus, and keep hidden what is held, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._give_back_for_ever())
            group.create_task(self._keep_hidden())

    async def close(self) -> None:
        """Give everything back, if SQS answers soon."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._return(set(self._held)))

    async def _give_back_for_ever(self) -> None:
        while True:
            await self._surplus.wait()
            self._surplus.clear()
            batch, self._to_give_back = self._to_give_back, set()
            await self._return(batch)

    async def _return(self, messages: set[Received]) -> None:
        await self._change("change_message_visibility_batch", messages, VisibilityTimeout=0)
        self._held -= messages

    async def _keep_hidden(self) -> None:
        before: set[Received] = set()
        while True:
            # What was here a third of the visibility ago is hidden for another whole one.
            await asyncio.sleep(self._visibility_seconds / 3)
            await self._change(
                "change_message_visibility_batch",
                before & self._held,
                VisibilityTimeout=max(1, round(self._visibility_seconds)),
            )
            before = set(self._held)

    async def _change(self, operation: str, messages: Iterable[Received], **how: Any) -> None:
        by_url: dict[str, list[Received]] = {}
        for message in messages:
            by_url.setdefault(message.url, []).append(message)
        async with asyncio.TaskGroup() as group:
            for url, some in by_url.items():
                for start in range(0, len(some), MOST_ENTRIES):
                    group.create_task(self._call(operation, url, some[start : start + MOST_ENTRIES], how))

    async def _call(self, operation: str, url: str, messages: Sequence[Received], how: dict[str, Any]) -> None:
        entries = [
            {"Id": str(index), "ReceiptHandle": message.receipt, **how} for index, message in enumerate(messages)
        ]
        try:
            answer = await self._client.call(operation, seconds=GIVE_BACK_SECONDS, QueueUrl=url, Entries=entries)
            failed = answer.get("Failed", ())
        except SqsUnavailable as exc:
            log.debug("messages not told of", operation=operation, count=len(messages), reason=str(exc))
            return
        if failed:
            log.debug("messages not told of", operation=operation, count=len(failed), reason=failed[0].get("Code"))
