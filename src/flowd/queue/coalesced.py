"""Coalesced: an endless asynchronous iterator of what was added since its last turn."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Coalesced(AsyncIterator[frozenset[T]], Generic[T]):
    """Collects items from any number of callers for one reader, each item once a turn.

    Not a generator on purpose: a reader that is cancelled while it waits may go on reading later and misses nothing.
    """

    def __init__(self) -> None:
        self._items: set[T] = set()
        self._news = asyncio.Event()

    def add(self, items: Iterable[T]) -> None:
        """Put `items` before the reader. An empty `items` changes nothing."""
        self._items.update(items)
        if self._items:
            self._news.set()

    async def __anext__(self) -> frozenset[T]:
        await self._news.wait()
        self._news.clear()
        items, self._items = frozenset(self._items), set()
        return items
