"""SQLite through aiosqlite: each statement is one visit to the connection's thread, from execute to the last row."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError, OperationalError, ProgrammingError

from flowd.db.dialect import Kind
from flowd.db.driver import Driver
from flowd.db.rows import Rows
from flowd.db.statement import compiled

_INTERRUPT_SECONDS = 0.01

_ERRORS: tuple[tuple[type[sqlite3.Error], type[DBAPIError]], ...] = (
    (sqlite3.IntegrityError, IntegrityError),
    (sqlite3.OperationalError, OperationalError),
    (sqlite3.ProgrammingError, ProgrammingError),
    (sqlite3.DatabaseError, DatabaseError),
)

Answer = TypeVar("Answer")


class SqliteDriver(Driver):
    """A transaction on a connection of aiosqlite."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        super().__init__()
        self._connection = connection

    async def execute(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        ready = compiled(Kind.SQLITE, statement)
        arguments = ready.arguments(parameters)

        def run(connection: sqlite3.Connection) -> Rows:
            cursor = connection.cursor()
            cursor.row_factory = sqlite3.Row
            cursor.execute(ready.sql, arguments)
            rows: list[sqlite3.Row] = cursor.fetchall()
            return Rows(rows, rows, cursor.rowcount)  # the count last: RETURNING counts as it is read

        return await self._visit(run, ready.sql, arguments)

    async def abandon(self) -> None:
        await super().abandon()
        # The thread may not even have begun the statement, and an interruption before that is lost.
        async with asyncio.TaskGroup() as group:
            idle = group.create_task(self._in_thread(lambda connection: None))
            while not idle.done():
                await self._connection.interrupt()
                await asyncio.wait({idle}, timeout=_INTERRUPT_SECONDS)
        # A close alone would not free the write lock while anything, such as a traceback, still holds a cursor.
        with suppress(sqlite3.Error):
            await self._in_thread(sqlite3.Connection.rollback)

    async def _begin(self, *, is_reading: bool) -> None:
        # IMMEDIATE takes the write lock before the first read: a reader cannot be made a writer behind another writer.
        await self._say("BEGIN" if is_reading else "BEGIN IMMEDIATE")

    async def _commit(self) -> None:
        # As SQL: sqlite3's commit() passes in silence over a transaction that SQLite has rolled back by itself.
        await self._say("COMMIT")

    async def _rollback(self) -> None:
        await self._visit(sqlite3.Connection.rollback, "ROLLBACK", ())

    async def _say(self, sql: str) -> None:
        await self._visit(lambda connection: connection.execute(sql), sql, ())

    async def _visit(self, work: Callable[[sqlite3.Connection], Answer], sql: str, arguments: Sequence[Any]) -> Answer:
        self.is_answered = False
        try:
            answer = await self._in_thread(work)
        except sqlite3.Error as error:
            self.is_answered = True
            raise _translated(error, sql, arguments) from error
        except Exception:  # what Python's sqlite3 cannot even pass on, such as half a character
            self.is_answered = True
            raise
        self.is_answered = True
        return answer

    async def _in_thread(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        # Private in aiosqlite, whose public methods visit the thread once for each of cursor, execute, fetch and close.
        visit: Awaitable[Answer] = self._connection._execute(work, self._connection._conn)  # type: ignore[no-untyped-call]
        return await visit


def _translated(error: sqlite3.Error, sql: str, arguments: Sequence[Any]) -> DBAPIError:
    kind = next((theirs for ours, theirs in _ERRORS if isinstance(error, ours)), DBAPIError)
    return kind(sql, tuple(arguments), error)
