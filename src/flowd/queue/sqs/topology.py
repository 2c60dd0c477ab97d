"""Topology: the names of flowd's queues at SQS, and how they come to be.

`<prefix>-tasks-<queue>`, with `<prefix>-dead` behind them, and `<prefix>-doorbell`; standard queues all.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta

import structlog

from flowd.queue.sqs.client import NoSuchQueue, QueueExists, SqsClient, SqsRefused, SqsUnavailable

LONGEST_NAME = 80
LONGEST_PREFIX = 30
DEAD_RETENTION = timedelta(days=14)
DOORBELL_RETENTION = timedelta(minutes=1)
"""The shortest that SQS has."""

_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")
_HASH_CHARACTERS = 16

log = structlog.get_logger(__name__)


class Topology:
    """What is called how, and where it is. Queues are made when they are first needed and found missing.

    `delivery_limit` is how often SQS hands out one message before it buries it, `visibility` for how long it is hidden
    from others each time. A queue that an operator made in another way is used as it is.
    """

    def __init__(self, client: SqsClient, *, prefix: str, delivery_limit: int, visibility: timedelta) -> None:
        self._client = client
        self._prefix = _fitting(prefix, LONGEST_PREFIX)
        self._delivery_limit = delivery_limit
        self._visibility = visibility
        self._urls: dict[str, str] = {}
        self._making = asyncio.Lock()

    @property
    def dead(self) -> str:
        """The queue of messages that nobody could read; it should be empty."""
        return f"{self._prefix}-dead"

    @property
    def doorbell(self) -> str:
        """The queue on which schedulers hear of runs that have news."""
        return f"{self._prefix}-doorbell"

    def tasks(self, queue: str) -> str:
        """The name at SQS of the queue that tasks call `queue`; no two have the same.

        One that SQS would refuse is made fit and told from others by a hash, under an infix of its own: nobody can
        choose a fit name that is another's unfit one.
        """
        plain = f"{self._prefix}-tasks-{queue}"
        if len(plain) <= LONGEST_NAME and not _FOREIGN.search(queue):
            return plain
        infix = f"{self._prefix}-hashed-"
        return infix + _hashed(queue, LONGEST_NAME - len(infix))

    async def url(self, name: str) -> str:
        """Return where the queue `name` is, made if need be; raise SqsRefused where it is missing and we may not."""
        if name not in self._urls:
            async with self._making:
                if name not in self._urls:
                    self._urls[name] = await self._found(name) or await self._made(name)
        return self._urls[name]

    def forget(self, name: str) -> None:
        """Look for the queue `name` anew when it is next needed: somebody has deleted it."""
        self._urls.pop(name, None)

    async def find(self, name: str) -> str | None:
        """Return where the queue `name` is, or None where there is none."""
        url = self._urls.get(name) or await self._found(name)
        if url is not None:
            self._urls[name] = url
        return url

    async def _found(self, name: str) -> str | None:
        try:
            answer = await self._client.call("get_queue_url", QueueName=name)
        except NoSuchQueue:
            return None
        return str(answer["QueueUrl"])

    async def _made(self, name: str) -> str:
        attributes = await self._attributes(name)
        try:
            answer = await self._client.call("create_queue", QueueName=name, Attributes=attributes)
        except QueueExists:
            # Another node was quicker.
            found = await self._found(name)
            if found is None:
                raise
            return found
        except SqsRefused as exc:
            raise SqsRefused(
                f"{exc}; the queue {name!r} does not exist: make it, or allow us sqs:CreateQueue and"
                " sqs:GetQueueAttributes"
            ) from exc
        log.info("queue made", queue=name, at=str(self._client))
        return str(answer["QueueUrl"])

    async def _attributes(self, name: str) -> Mapping[str, str]:
        if name == self.dead:
            return {"MessageRetentionPeriod": _seconds(DEAD_RETENTION)}
        if name == self.doorbell:
            return {"MessageRetentionPeriod": _seconds(DOORBELL_RETENTION)}
        redrive = {"deadLetterTargetArn": await self._dead_arn(), "maxReceiveCount": self._delivery_limit}
        return {"VisibilityTimeout": _seconds(self._visibility), "RedrivePolicy": json.dumps(redrive)}

    async def _dead_arn(self) -> str:
        url = self._urls.get(self.dead) or await self._found(self.dead) or await self._made(self.dead)
        self._urls[self.dead] = url
        try:
            answer = await self._client.call("get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])
        except NoSuchQueue as exc:
            self.forget(self.dead)
            raise SqsUnavailable(f"{self._client}: the queue {self.dead!r} was deleted just now") from exc
        return str(answer["Attributes"]["QueueArn"])


def _fitting(name: str, longest: int) -> str:
    return name if len(name) <= longest and not _FOREIGN.search(name) else _hashed(name, longest)


def _hashed(name: str, longest: int) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARACTERS]
    return f"{_FOREIGN.sub('_', name)[: longest - _HASH_CHARACTERS - 1]}-{digest}"


def _seconds(period: timedelta) -> str:
    return str(max(1, round(period.total_seconds())))
