"""DatabaseQueue: the ledger's own queued task instances are the queue; a message is never written anywhere.

A worker claims straight from the ledger with the guarded statement that also serves claims from a broker. Wake-ups say
when that is worth trying; the poll finds what a lost wake-up missed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from flowd.domain.assignment import Assignment
from flowd.domain.ids import RunKey
from flowd.queue.base import Claimed, ClaimNext, Delivery, Queue, Subscription, Wakeups
from flowd.queue.structured import alongside, finish_despite_cancel

TASKS_TOPIC = "tasks"
"""Its payloads are names of queues that have something to claim."""

DOORBELL_TOPIC = "doorbell"
"""Its payloads are keys of runs that have news."""

_MOST_DIGITS = 18
"""Every number of so many digits fits into the key of a run."""

GiveUp = Callable[[Sequence[Claimed]], Awaitable[None]]
"""`give_up(claims)`: let the ledger have back claims that were never started, using no retry and no lost attempt."""


class DatabaseQueue(Queue):
    """The queue of nodes that share a metastore and no broker."""

    is_ledger = True

    def __init__(
        self,
        *,
        claim_next: ClaimNext,
        give_up: GiveUp,
        wakeups: Wakeups,
        poll_interval: timedelta = timedelta(seconds=1),
    ) -> None:
        self._claim_next = claim_next
        self._give_up = give_up
        self._wakeups = wakeups
        self._poll_interval = poll_interval

    async def publish(self, assignments: Sequence[Assignment]) -> Sequence[bool]:
        """Wake the workers of the queues named: the ledger already holds the work, so all of it counts as confirmed."""
        await self._wakeups.notify(TASKS_TOPIC, sorted({assignment.queue for assignment in assignments}))
        return [True] * len(assignments)

    @asynccontextmanager
    async def subscribe(self, queues: Sequence[str]) -> AsyncIterator[Subscription]:
        """Open an ear on `queues`. What it delivers is claimed, and comes back when its lease ends."""
        subscription = _LedgerSubscription(tuple(queues), self._claim_next, self._give_up, self._poll_interval)
        async with self._wakeups.listen(TASKS_TOPIC) as notes, alongside(subscription.heed(notes)):
            yield subscription

    async def ring(self, runs: Sequence[RunKey]) -> None:
        """Wake the schedulers that share the metastore: each one, for their locks decide who takes a run."""
        await self._wakeups.notify(DOORBELL_TOPIC, [str(run) for run in runs])

    @asynccontextmanager
    async def rings(self) -> AsyncIterator[AsyncIterator[frozenset[RunKey]]]:
        """Open the doorbell."""
        async with self._wakeups.listen(DOORBELL_TOPIC) as notes:
            yield _RunKeys(notes)

    async def check(self) -> None:
        """Return at once: there is no backend but the metastore, which answers for itself."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Own nothing: the connections are the metastore's."""
        yield


class _RunKeys(AsyncIterator[frozenset[RunKey]]):
    def __init__(self, notes: AsyncIterator[frozenset[str]]) -> None:
        self._notes = notes

    async def __anext__(self) -> frozenset[RunKey]:
        # Anyone who may log in to the database can send a note: one that is no key is nobody's.
        return frozenset(key for note in await anext(self._notes) if (key := _run_key(note)) is not None)


def _run_key(note: object) -> RunKey | None:
    if not isinstance(note, str) or len(note) > _MOST_DIGITS or not (note.isascii() and note.isdecimal()):
        return None
    return RunKey(int(note))


class _LedgerSubscription(Subscription):
    def __init__(
        self, queues: tuple[str, ...], claim_next: ClaimNext, give_up: GiveUp, poll_interval: timedelta
    ) -> None:
        self._queues = queues
        self._claim_next = claim_next
        self._give_up = give_up
        self._poll_seconds = poll_interval.total_seconds()
        self._news = asyncio.Event()

    async def heed(self, notes: AsyncIterator[frozenset[str]]) -> None:
        """Turn wake-ups for our queues into another look at the ledger."""
        async for queues in notes:
            if not queues.isdisjoint(self._queues):
                self._news.set()

    async def receive(self, free: int) -> Sequence[Delivery]:
        """Claim up to `free` queued instances, waiting for the first; a cancelled call gives its claims up again."""
        while True:
            # Cleared before the look, not after: a wake-up that comes during the look must cause another.
            self._news.clear()
            claims = await finish_despite_cancel(self._claim(free), hurry=lambda: None, undo=self._give_up)
            if claims:
                return [_delivery(claimed) for claimed in claims]
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _claim(self, free: int) -> Sequence[Claimed]:
        return await self._claim_next(self._queues, free)


def _delivery(claimed: Claimed) -> Delivery:
    return Delivery(
        body=None, claimed=claimed, queue=claimed.assignment.queue, ack=_nothing_to_ack, dead_letter=_nothing_to_bury
    )


async def _nothing_to_ack() -> None:
    """The claim was the acknowledgement."""


async def _nothing_to_bury(reason: str) -> None:
    """There is no message: an instance that cannot run is failed in the ledger by whoever holds its claim."""
