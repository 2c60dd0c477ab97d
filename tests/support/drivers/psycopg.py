"""A PostgreSQL driver by the name that hooks look for, over the one that flowd itself has: a DB-API of its own.

Hooks bring no driver, and none is installed for the tests; the server at the other end is real. To be found by child
processes its folder must be in PYTHONPATH.
"""

import asyncio
from typing import Any

import asyncpg


class Cursor:
    """What DbApiHook asks of a cursor."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: object = ()

    def execute(self, statement: str) -> None:
        """Run a statement."""
        self._rows = self._connection.run(self._connection.raw.fetch(statement))

    def fetchone(self) -> Any:
        """Return the first row that is left."""
        return self._rows.pop(0) if self._rows else None

    def close(self) -> None:
        """Do nothing."""


class Connection:
    """What DbApiHook asks of a connection."""

    autocommit = False

    def __init__(self, **arguments: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self.raw = self.run(asyncpg.connect(database=arguments.pop("dbname"), **arguments))

    def run(self, work: Any) -> Any:
        """Return what a coroutine returns."""
        return self._loop.run_until_complete(work)

    def cursor(self) -> Cursor:
        """Return a new cursor."""
        return Cursor(self)

    def commit(self) -> None:
        """Do nothing: every statement is committed by itself."""

    def close(self) -> None:
        """Hang up."""
        self.run(self.raw.close())
        self._loop.close()


def connect(**arguments: Any) -> Connection:
    """Return a connection."""
    return Connection(**arguments)
