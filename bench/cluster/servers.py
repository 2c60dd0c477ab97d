"""PostgreSQL and RabbitMQ: the servers that `make services` starts, and what a bench borrows of them."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import asyncpg

POSTGRES_VARIABLE = "FLOWD_TEST_POSTGRES_URL"
AMQP_VARIABLE = "FLOWD_TEST_AMQP_URL"


def postgres_url() -> str:
    """The PostgreSQL server on which databases may be made."""
    return os.environ.get(POSTGRES_VARIABLE) or "postgresql://postgres@127.0.0.1:5432/postgres"


def amqp_url() -> str:
    """The RabbitMQ server on which queues may be made."""
    return os.environ.get(AMQP_VARIABLE) or "amqp://guest:guest@127.0.0.1:5672/"


@contextmanager
def own_database() -> Iterator[str]:
    """The URL of a new database, which is dropped at the end."""
    name = f"flowd_bench_{secrets.token_hex(6)}"
    asyncio.run(_execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"))
    try:
        yield urlunsplit(urlsplit(postgres_url())._replace(path=f"/{name}"))
    finally:
        asyncio.run(_execute(f'DROP DATABASE "{name}" WITH (FORCE)'))


@contextmanager
def own_queues(prefix: str) -> Iterator[None]:
    """Delete the queues that a cluster made under `prefix` at the end."""
    try:
        yield
    finally:
        asyncio.run(_delete_queues(f"{prefix}.tasks.default", f"{prefix}.doorbell", f"{prefix}.dead"))


async def _execute(statement: str) -> None:
    try:
        connection = await asyncpg.connect(postgres_url(), timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise SystemExit(
            f"bench: PostgreSQL does not answer ({type(error).__name__}: {error}); run `make services`, or set"
            f" {POSTGRES_VARIABLE} to a server that does, or measure --backend sqlite alone"
        ) from error
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _delete_queues(*names: str) -> None:
    async with await aio_pika.connect(amqp_url()) as connection:
        channel = await connection.channel()
        for name in names:
            await channel.queue_delete(name)
