"""A broker on paper: it keeps what it is given, and confirms it or does not."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from flowd.domain.assignment import Assignment
from flowd.domain.ids import RunKey
from flowd.queue.base import Queue, Subscription


class PaperQueue(Queue):
    """What was published, by publication. While it is away it takes messages and confirms none of them."""

    def __init__(self) -> None:
        self.published: list[list[Assignment]] = []
        self.rung: list[list[RunKey]] = []
        self.is_away = False

    @property
    def messages(self) -> list[tuple[str, int]]:
        """Task id and try number of every message, in order."""
        return [(one.task_id, one.try_number) for batch in self.published for one in batch]

    async def publish(self, assignments: Sequence[Assignment]) -> Sequence[bool]:
        self.published.append(list(assignments))
        return [not self.is_away] * len(assignments)

    @asynccontextmanager
    async def subscribe(self, queues: Sequence[str]) -> AsyncIterator[Subscription]:
        raise AssertionError("nobody works for a broker on paper")
        yield

    async def ring(self, runs: Sequence[RunKey]) -> None:
        self.rung.append(list(runs))

    @asynccontextmanager
    async def rings(self) -> AsyncIterator[AsyncIterator[frozenset[RunKey]]]:
        raise AssertionError("a broker on paper has no doorbell to answer")
        yield

    async def check(self) -> None:
        """It always answers."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        yield
