"""The queue port: what the scheduler publishes to, what a worker subscribes to, and the doorbell between them.

The ledger alone decides what may run, so a backend may lose, repeat, delay or reorder what it carries.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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
