"""SQLite through aiosqlite: each statement is one visit to the connection's thread, from execute to the last row.

The statements of a brief transaction run in the event loop instead, for the visit costs many times what they do. Only
what may wait is left to the thread: for another process to end its transaction, and for the disk.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError, OperationalError, ProgrammingError

from flowd.db.dialect import Kind
from flowd.db.driver import Driver
from flowd.db.failures import is_transient
from flowd.db.rows import Rows
from flowd.db.statement import compiled

_INTERRUPT_SECONDS = 0.01

_ERRORS: tuple[tuple[type[sqlite3.Error], type[DBAPIError]], ...] = (
    (sqlite3.IntegrityError, IntegrityError),
    (sqlite3.OperationalError, OperationalError),
    (sqlite3.ProgrammingError, ProgrammingError),
    (sqlite3.DatabaseError, DatabaseError),
)

BEGIN_WRITING = "BEGIN IMMEDIATE"

Answer = TypeVar("Answer")
Work = Callable[[sqlite3.Connection], Answer]


class SqliteDriver(Driver):
    """A transaction on a connection of aiosqlite."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        super().__init__()
        self._connection = connection
        self._changes_before = 0

    async def execute(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        ready = compiled(Kind.SQLITE, statement)
        arguments = ready.arguments(parameters)

        def run(connection: sqlite3.Connection) -> Rows:
            cursor = connection.cursor()
            cursor.row_factory = sqlite3.Row
            cursor.execute(ready.sql, arguments)
            rows: list[sqlite3.Row] = cursor.fetchall()
            return Rows(rows, rows, cursor.rowcount)  # the count last: RETURNING counts as it is read

        return await self._do(run, ready.sql)

    def look(self) -> None:
        super().look()
        self._is_brief = True

    async def abandon(self) -> None:
        await super().abandon()
        # The thread may not even have begun the statement, and an interruption before that is lost.
        async with asyncio.TaskGroup() as group:
            idle = group.create_task(self._visit(lambda connection: None))
            while not idle.done():
                await self._connection.interrupt()
                await asyncio.wait({idle}, timeout=_INTERRUPT_SECONDS)
        # A close alone would not free the write lock while anything, such as a traceback, still holds a cursor.
        with suppress(sqlite3.Error):
            await self._visit(sqlite3.Connection.rollback)

    async def _begin(self, *, is_reading: bool, is_brief: bool) -> None:
        self._is_brief = is_brief
        self._changes_before = self._sqlite.total_changes
        if is_reading:
            await self._say("BEGIN")
        # IMMEDIATE takes the write lock before the first read: a reader cannot be made a writer behind another writer.
        elif not (is_brief and self._begin_at_once()):
            await self._in_thread(_say(BEGIN_WRITING), BEGIN_WRITING)

    async def _commit(self) -> None:
        # As SQL: sqlite3's commit() passes in silence over a transaction that SQLite has rolled back by itself.
        if self._sqlite.total_changes == self._changes_before:
            await self._say("COMMIT")
        else:
            await self._in_thread(_say("COMMIT"), "COMMIT")

    async def _rollback(self) -> None:
        await self._in_thread(sqlite3.Connection.rollback, "ROLLBACK")

    @property
    def _sqlite(self) -> sqlite3.Connection:
        return self._connection._conn

    def _begin_at_once(self) -> bool:
        """Return whether the write lock could be had without waiting for another process."""
        waiting = self._sqlite.execute("PRAGMA busy_timeout").fetchone()[0]
        self._sqlite.execute("PRAGMA busy_timeout = 0")
        try:
            self._here(_say(BEGIN_WRITING), BEGIN_WRITING)
        except OperationalError as error:
            if is_transient(error):
                return False
            raise
        finally:
            self._sqlite.execute(f"PRAGMA busy_timeout = {waiting}")
        return True

    async def _say(self, sql: str) -> None:
        await self._do(_say(sql), sql)

    async def _do(self, work: Work[Answer], sql: str) -> Answer:
        if self._is_brief:
            return self._here(work, sql)
        return await self._in_thread(work, sql)

    def _here(self, work: Work[Answer], sql: str) -> Answer:
        try:
            return work(self._sqlite)
        except sqlite3.Error as error:
            raise _translated(error, sql) from error

    async def _in_thread(self, work: Work[Answer], sql: str) -> Answer:
        self.is_answered = False
        try:
            answer = await self._visit(work)
        except sqlite3.Error as error:
            self.is_answered = True
            raise _translated(error, sql) from error
        except Exception:  # what Python's sqlite3 cannot even pass on, such as half a character
            self.is_answered = True
            raise
        self.is_answered = True
        return answer

    async def _visit(self, work: Work[Answer]) -> Answer:
        # Private in aiosqlite, whose public methods visit the thread once for each of cursor, execute, fetch and close.
        visit: Awaitable[Answer] = self._connection._execute(work, self._sqlite)  # type: ignore[no-untyped-call]
        return await visit


def _say(sql: str) -> Work[object]:
    return lambda connection: connection.execute(sql)


def _translated(error: sqlite3.Error, sql: str) -> DBAPIError:
    kind = next((theirs for ours, theirs in _ERRORS if isinstance(error, ours)), DBAPIError)
    return kind(sql, (), error)
