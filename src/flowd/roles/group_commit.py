"""GroupCommit: what arrives while a commit is under way goes together in the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from flowd.cancellation import Cancellation

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Item, Answer]):
    """Turns many `submit` calls into few calls of `flush`, which answers each item, in order.

    There is never more than one flush under way, so a batch grows by itself with the load. A flush that raises fails
    the submissions of that batch alone. A submission that is cancelled is flushed all the same.
    """

    def __init__(self, flush: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]], *, most: int = 500) -> None:
        self._flush = flush
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._arrived = asyncio.Event()

    async def submit(self, item: Item) -> Answer:
        """Return the answer to this item, once its batch has been flushed."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._arrived.set()
        return await future

    async def run(self) -> None:
        """Flush batches until cancelled."""
        cancellation = Cancellation()
        while True:
            cancellation.heed()
            await self._arrived.wait()
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            if not self._waiting:
                self._arrived.clear()
            try:
                answers = await self._flush([item for item, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
