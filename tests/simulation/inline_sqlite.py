"""aiosqlite without its thread: each visit to the connection happens where it is asked for."""

import asyncio
import sqlite3
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import Any

import aiosqlite

Visit = tuple[asyncio.Future[Any] | None, Callable[[], Any]]


class _Visits(SimpleQueue[Visit]):
    """Takes the place of the queue to the thread."""

    def put_nowait(self, item: Visit) -> None:
        future, function = item
        try:
            answer = function()
        except Exception as error:
            if future is not None:
                future.set_exception(error)
        else:
            if future is not None:
                future.set_result(answer)


class InlineConnection(aiosqlite.Connection):
    """A connection whose every call is over when it returns."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, 64)
        self._tx: SimpleQueue[Visit] = _Visits()

    def __await__(self) -> Generator[Any, None, aiosqlite.Connection]:
        return self._connect().__await__()


def connect(database: str, **options: Any) -> InlineConnection:
    """Take the place of `aiosqlite.connect`."""
    return InlineConnection(lambda: sqlite3.connect(database, **options))
