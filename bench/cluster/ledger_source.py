"""Reading a metastore: one connection on its bare driver, so that watching costs next to nothing."""

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any, Protocol

import asyncpg

from bench.servers.mariadb import connect_mariadb

Rows = Sequence[Sequence[Any]]


class Source(Protocol):
    """A statement has `{0}`, `{1}` where its parameters go."""

    def fetch(self, statement: str, *parameters: str) -> Rows:
        """Return the rows."""
        ...

    def servants(self) -> list[int]:
        """Return the server's processes or threads for all other connections to this database."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def open_source(url: str) -> Source:
    """Return the source for the URL of a metastore."""
    if url.startswith("sqlite"):
        return _Sqlite(url)
    return _Postgres(url) if url.startswith("postgres") else _Mariadb(url)


class _Sqlite:
    def __init__(self, url: str) -> None:
        path = url.removeprefix("sqlite:///")
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    def fetch(self, statement: str, *parameters: str) -> Rows:
        return self._connection.execute(statement.format(*"?" * len(parameters)), parameters).fetchall()

    def servants(self) -> list[int]:
        return []

    def close(self) -> None:
        self._connection.close()


class _Postgres:
    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._connection: Any = self._runner.run(_connect_postgres(url))

    def fetch(self, statement: str, *parameters: str) -> Rows:
        numbered = statement.format(*(f"${number}" for number in range(1, len(parameters) + 1)))
        rows: Rows = self._runner.run(self._connection.fetch(numbered, *parameters))
        return rows

    def servants(self) -> list[int]:
        statement = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return [pid for (pid,) in self.fetch(statement)]

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


class _Mariadb:
    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._connection: Any = self._runner.run(connect_mariadb(url))

    def fetch(self, statement: str, *parameters: str) -> Rows:
        return self._runner.run(self._fetch(statement.format(*["%s"] * len(parameters)), parameters))

    def servants(self) -> list[int]:
        statement = "SELECT TID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()"
        return [thread for (thread,) in self.fetch(statement)]

    def close(self) -> None:
        self._runner.run(self._connection.ensure_closed())
        self._runner.close()

    async def _fetch(self, statement: str, parameters: tuple[str, ...]) -> Rows:
        async with self._connection.cursor() as cursor:
            await cursor.execute(statement, parameters)
            rows: Rows = await cursor.fetchall()
            return rows


async def _connect_postgres(url: str) -> Any:
    return await asyncpg.connect(url, server_settings={"default_transaction_read_only": "on"})
