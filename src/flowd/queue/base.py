"""The queue port: what the scheduler publishes to, what a worker subscribes to, and the doorbell between them.

The ledger alone decides what may run, so a backend may lose, repeat, delay or reorder what it carries.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from flowd.domain.assignment import Assignment
from flowd.domain.ids import ClaimToken, RunKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An assignment that the ledger has given to this worker: `token` is the right to run and report it.

    `fence_at_ns` (CLOCK_MONOTONIC) is when the lease ends, counted from before the claim was asked for.
    """

    assignment: Assignment
    token: ClaimToken
    fence_at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message handed to a worker: signed bytes to be claimed, or, from the database queue, work already claimed.

    Exactly one of `body` and `claimed` is set. `ack` removes the message for good; `dead_letter` puts it aside for
    people to look at. A delivery that gets neither comes back by itself after the subscription ends.
    """

    body: bytes | None
    claimed: Claimed | None
    queue: str
    ack: Callable[[], Awaitable[None]]
    dead_letter: Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was put aside, for people to look at.

    `id` follows from its body, so that copies share one. `queue` is where it came from and `reason` why it was put
    aside, each None where nobody has said.
    """

    id: str
    body: bytes
    queue: str | None
    reason: str | None


def dead_letter_id(body: bytes) -> str:
    """Return the id of the dead letters with this body."""
    return hashlib.sha256(body).hexdigest()[:32]


MOST_DEAD_LETTERS = 1_000
"""How many messages put aside are looked at in one call, the oldest where the backend keeps an order."""


class Subscription(ABC):
    """A worker's ear on a set of named queues."""

    @abstractmethod
    async def receive(self, free: int) -> Sequence[Delivery]:
        """Wait for work and return between 1 and `free` deliveries.

        Never holds back more messages from other workers than `free` nor, once it has returned, than what is then left
        of it: a caller whose room shrinks meanwhile ends the subscription. Rides out broken connections by itself;
        raises QueueUnavailable only where that is hopeless (wrong credentials). Cancelling it loses no message.
        """


class Queue(ABC):
    """One backend. Every method may be called concurrently; none leaves a task behind when cancelled."""

    is_ledger: bool = False
    """True where the queued instances of the metastore are the queue itself: nothing is sent that could be lost."""

    @abstractmethod
    async def publish(self, assignments: Sequence[Assignment]) -> Sequence[bool]:
        """Send task messages, each to the queue it names, persistent and confirmed within 5 seconds.

        The answer says for each, in order, whether the backend has confirmed it. False is to be rung again later, and
        is also the answer while the backend is away: this method does not raise for a broken connection.
        """

    @abstractmethod
    def subscribe(self, queues: Sequence[str]) -> AbstractAsyncContextManager[Subscription]:
        """Open an ear on `queues`, creating those that do not exist."""

    @abstractmethod
    async def ring(self, runs: Sequence[RunKey]) -> None:
        """Tell one scheduler that these runs have news: fast, unconfirmed, silent in failure (the poll repairs it)."""

    @abstractmethod
    def rings(self) -> AbstractAsyncContextManager[AsyncIterator[frozenset[RunKey]]]:
        """Open the doorbell: an endless iterator of the runs rung since the last turn, coalesced."""

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Return up to `limit` messages that were put aside, and leave them there; none where nothing ever is.

        What somebody else looks at in this moment may be missing. Raises QueueUnavailable.
        """
        return []

    async def send_back(self, ids: Collection[str]) -> Collection[str]:
        """Send the dead letters with these ids to where they came from, and return the ids of those sent.

        One whose queue nobody knows, or that the backend does not confirm, stays. One may be sent twice, which the
        ledger makes harmless; none is lost. Raises QueueUnavailable.
        """
        return []

    async def discard(self, ids: Collection[str]) -> Collection[str]:
        """Remove the dead letters with these ids for good and return the ids removed; raise QueueUnavailable."""
        return []

    @abstractmethod
    async def check(self) -> None:
        """Return when the backend answers; raise QueueUnavailable naming it (without its password) and the reason."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[None]:
        """Own the backend's connections for the time of the context."""


class Wakeups(Protocol):
    """Coalesced notes between processes that share a metastore: transient, at most once."""

    async def notify(self, topic: str, payloads: Sequence[str]) -> None:
        """Wake every listener of `topic`; never raises for a lost connection."""
        ...

    def listen(self, topic: str) -> AbstractAsyncContextManager[AsyncIterator[frozenset[str]]]:
        """Iterate over the payloads that arrive on `topic`, those since the last turn together."""
        ...


ClaimNext = Callable[[Sequence[str], int], Awaitable[Sequence[Claimed]]]
"""`claim_next(queues, limit)`: claim up to `limit` queued instances of these queues from the ledger, at once."""
