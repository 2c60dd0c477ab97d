"""MariaDB: the server that `make services` starts, and a database on it."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncmy

from bench.servers.unreachable import unreachable

VARIABLE = "FLOWD_TEST_MARIADB_URL"


def mariadb_url() -> str:
    """The server on which databases may be made."""
    return os.environ.get(VARIABLE) or "mysql://root@127.0.0.1:3306/"


@contextmanager
def own_mariadb_database() -> Iterator[str]:
    """The URL of a new database, which is dropped at the end."""
    name = f"flowd_bench_{secrets.token_hex(6)}"
    asyncio.run(_execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4"))
    try:
        yield urlunsplit(urlsplit(mariadb_url())._replace(path=f"/{name}"))
    finally:
        asyncio.run(_execute(f"DROP DATABASE `{name}`"))


async def connect_mariadb(url: str) -> Any:
    """Return a connection that commits each statement by itself."""
    parts = urlsplit(url)
    return await asyncmy.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/") or None,
        autocommit=True,
        connect_timeout=5,
    )


async def _execute(statement: str) -> None:
    try:
        connection = await connect_mariadb(mariadb_url())
    except (OSError, asyncmy.errors.MySQLError) as error:
        raise unreachable("MariaDB", VARIABLE, error) from error
    try:
        async with connection.cursor() as cursor:
            await cursor.execute(statement)
    finally:
        await connection.ensure_closed()
