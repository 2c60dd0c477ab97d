"""Poller: asks one queue for messages when told to, and sees every answer through.

A poll that a client breaks off goes on at SQS, for up to twenty seconds, and takes messages along that nobody will
see before they become visible again. So who waits for an answer may leave; the poll stays, for the next to join.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from flowd.queue.sqs.client import ANSWER_SECONDS, NoSuchQueue, SqsClient, SqsRefused, SqsUnavailable
from flowd.queue.sqs.in_hand import Received
from flowd.queue.sqs.topology import Topology

MOST_MESSAGES = 10
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Poller:
    """The polls of one queue, one at a time; `deliver` is called with what each brings, also where that is nothing."""

    def __init__(
        self,
        queue: str,
        client: SqsClient,
        topology: Topology,
        *,
        visibility: timedelta,
        deliver: Callable[[Sequence[Received]], None],
    ) -> None:
        self._queue = queue
        self._client = client
        self._topology = topology
        self._visibility_seconds = max(1, round(visibility.total_seconds()))
        self._deliver = deliver
        self._most = 0
        self._wait_seconds = 0
        self._asked = asyncio.Event()
        self._answered = asyncio.Event()
        self.refusal: SqsRefused | None = None
        """Why the last poll was hopeless, if it was."""

    @property
    def is_idle(self) -> bool:
        """True where it may be asked: no poll is under way, and no pause after one that failed."""
        return not self._asked.is_set()

    def ask(self, most: int, *, wait_seconds: int) -> None:
        """Begin a poll for up to `most` messages, waiting so long for the first."""
        self._most, self._wait_seconds = min(most, MOST_MESSAGES), wait_seconds
        self._answered.clear()
        self._asked.set()

    async def answered(self) -> None:
        """Wait until the poll that was asked for has brought something or nothing, or has failed."""
        await self._answered.wait()

    async def run(self) -> None:
        """Poll whenever asked, until cancelled."""
        failures = 0
        while True:
            await self._asked.wait()
            messages: Sequence[Received] = ()
            try:
                messages = await self._poll()
                failures, self.refusal = 0, None
            except SqsUnavailable as exc:
                failures += 1
                self.refusal = exc if isinstance(exc, SqsRefused) else None
                log.warning("subscription interrupted", queue=self._queue, reason=str(exc))
            self._answered.set()
            self._deliver(messages)
            if failures:
                await asyncio.sleep(_pause_seconds(failures))
            self._asked.clear()
            self._deliver(())

    async def _poll(self) -> list[Received]:
        name = self._topology.tasks(self._queue)
        url = await self._topology.url(name)
        try:
            answer = await self._client.call(
                "receive_message",
                seconds=self._wait_seconds + ANSWER_SECONDS,
                QueueUrl=url,
                MaxNumberOfMessages=self._most,
                WaitTimeSeconds=self._wait_seconds,
                VisibilityTimeout=self._visibility_seconds,
            )
        except NoSuchQueue:
            # Deleted: it is made again at the next poll.
            self._topology.forget(name)
            raise
        return [
            Received(self._queue, url, message["ReceiptHandle"], message["Body"])
            for message in answer.get("Messages", ())
        ]


def _pause_seconds(failures: int) -> float:
    ceiling = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10))
    return random.uniform(ceiling / 2, ceiling)
