"""SqsQueue: task messages and the doorbell over Amazon SQS."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta

from flowd.domain.assignment import Assignment
from flowd.domain.ids import RunKey
from flowd.queue.base import DeadLetter, Queue, Subscription
from flowd.queue.message import SigningKeys
from flowd.queue.outgoing import signed_or_none
from flowd.queue.sqs.address import SqsAddress
from flowd.queue.sqs.client import LONGEST_WAIT_SECONDS, NoSuchQueue, SqsClient
from flowd.queue.sqs.doorbell import SqsBell, SqsDoor
from flowd.queue.sqs.graveyard import SqsGraveyard
from flowd.queue.sqs.publisher import MOST_BYTES, Letter, Publisher
from flowd.queue.sqs.subscription import SqsSubscription
from flowd.queue.sqs.topology import Topology


class SqsQueue(Queue):
    """The queue of a cluster at Amazon's.

    `prefix` begins the name of every queue, so that clusters can share an account. `visibility` is how long the
    messages of a worker that died stay hidden, `wait` how long a poll waits for a message at SQS.
    """

    def __init__(
        self,
        address: SqsAddress,
        keys: SigningKeys,
        *,
        prefix: str = "flowd",
        limit_bytes: int = MOST_BYTES,
        delivery_limit: int = 20,
        visibility: timedelta = timedelta(seconds=10),
        wait: timedelta = timedelta(seconds=LONGEST_WAIT_SECONDS),
        publish_deadline: timedelta = timedelta(seconds=5),
    ) -> None:
        self._keys = keys
        self._limit_bytes = min(limit_bytes, MOST_BYTES)
        self._visibility = visibility
        self._wait = wait
        self._client = SqsClient(address)
        self._topology = Topology(self._client, prefix=prefix, delivery_limit=delivery_limit, visibility=visibility)
        self._publisher = Publisher(self._client, self._topology, deadline=publish_deadline)
        self._graveyard = SqsGraveyard(self._client, self._topology, self._publisher, keys)
        self._bell = SqsBell(self._client, self._topology)
        self._door = SqsDoor(self._client, self._topology)

    async def publish(self, assignments: Sequence[Assignment]) -> Sequence[bool]:
        """Send task messages, each to the queue it names; say which SQS has confirmed in time."""
        letters = [self._letter(assignment) for assignment in assignments]
        confirmed = iter(await self._publisher.publish([letter for letter in letters if letter is not None]))
        return [letter is not None and next(confirmed) for letter in letters]

    @asynccontextmanager
    async def subscribe(self, queues: Sequence[str]) -> AsyncIterator[Subscription]:
        """Open an ear on `queues`; they are made with the first `receive`, when SQS can be reached."""
        subscription = SqsSubscription(
            queues,
            self._client,
            self._topology,
            undertaker=self._publisher,
            visibility=self._visibility,
            wait=self._wait,
        )
        async with subscription.open():
            yield subscription

    async def ring(self, runs: Sequence[RunKey]) -> None:
        """Ring at one scheduler's door."""
        await self._bell.ring(runs)

    def rings(self) -> AbstractAsyncContextManager[AsyncIterator[frozenset[RunKey]]]:
        """Open the doorbell; of several listeners each ring reaches one."""
        return self._door.rings()

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Return the first messages that were put aside."""
        return await self._graveyard.look(limit)

    async def send_back(self, ids: Collection[str]) -> Collection[str]:
        """Send dead letters to where they came from."""
        return await self._graveyard.send_back(ids)

    async def discard(self, ids: Collection[str]) -> Collection[str]:
        """Remove dead letters for good."""
        return await self._graveyard.discard(ids)

    async def check(self) -> None:
        """Return when SQS answers us; raise QueueUnavailable with the reason when not."""
        with suppress(NoSuchQueue):
            await self._client.call("get_queue_url", QueueName=self._topology.dead)

    def open(self) -> AbstractAsyncContextManager[None]:
        """Own the client. Says nothing to SQS: a node starts, and waits, without it.

        Raises InvalidSettings where no region or no credentials can be found.
        """
        return self._client.open()

    def _letter(self, assignment: Assignment) -> Letter | None:
        # SQS carries only the characters that XML knows; in JSON every other one can be escaped.
        body = signed_or_none(assignment, self._keys, limit_bytes=self._limit_bytes, is_ascii=True)
        if body is None:
            return None
        return Letter(queue=self._topology.tasks(assignment.queue), body=body.decode("ascii"))
