"""PostgreSQL: the server that `make services` starts, and a database on it."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.servers.unreachable import unreachable

VARIABLE = "FLOWD_TEST_POSTGRES_URL"


def postgres_url() -> str:
    """The server on which databases may be made."""
    return os.environ.get(VARIABLE) or "postgresql://postgres@127.0.0.1:5432/postgres"


@contextmanager
def own_postgres_database() -> Iterator[str]:
    """The URL of a new database, which is dropped at the end."""
    url = make_database()
    try:
        yield url
    finally:
        drop_database(url)


def make_database() -> str:
    """Make a database and return its URL."""
    name = f"flowd_bench_{secrets.token_hex(6)}"
    asyncio.run(_execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"))
    return urlunsplit(urlsplit(postgres_url())._replace(path=f"/{name}"))


def drop_database(url: str) -> None:
    """Drop what `make_database` made, whoever is connected."""
    asyncio.run(_execute(f'DROP DATABASE "{urlsplit(url).path[1:]}" WITH (FORCE)'))


async def _execute(statement: str) -> None:
    try:
        connection = await asyncpg.connect(postgres_url(), timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise unreachable("PostgreSQL", VARIABLE, error) from error
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
