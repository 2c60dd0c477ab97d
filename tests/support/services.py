"""The servers that tests talk to: where they are, whether they answer, and a database of one's own."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import asyncmy
import asyncpg
import httpx

from bench.cluster.free_port import free_port
from tests.support.node_process import eventually

ANSWER_SECONDS = 60

# factory(template=None): a database of one's own while it is entered
DatabaseFactory = Callable[..., AbstractAsyncContextManager[str]]


class ServiceUnreachable(Exception):
    """A server that the tests need does not answer."""

    def __init__(self, service: str, url: str, variable: str, reason: BaseException) -> None:
        super().__init__(
            f"{service} does not answer at {without_password(url)} ({type(reason).__name__}: {reason}); "
            f"run `make services`, or set {variable} to a server that does"
        )


def without_password(url: str) -> str:
    """`url` fit to be shown."""
    parts = urlsplit(url)
    user, at, address = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=user.partition(":")[0] + at + address))


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL server on which the tests may create databases. `url` names one to connect to meanwhile."""

    url: str

    VARIABLE = "FLOWD_TEST_POSTGRES_URL"
    DEFAULT = "postgresql://postgres@127.0.0.1:5432/postgres"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(environment.get(cls.VARIABLE) or cls.DEFAULT)

    async def check(self) -> None:
        """Return once it answers; raise ServiceUnreachable if it does not."""
        await self.execute("SELECT 1")

    @asynccontextmanager
    async def database(self, template: str | None = None) -> AsyncIterator[str]:
        """The URL of a new database, dropped at the end with whatever is still connected to it.

        It is empty, UTF-8 and sorted by code point whatever the server's own locale; or a copy of the database
        whose URL is `template`, which nothing may be connected to.
        """
        name = f"flowd_test_{secrets.token_hex(6)}"
        origin = (
            f'TEMPLATE "{urlsplit(template).path.lstrip("/")}"'
            if template
            else "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        await self.execute(f'CREATE DATABASE "{name}" {origin}')
        try:
            yield urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))
        finally:
            await self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def execute(self, statement: str) -> None:
        try:
            connection = await asyncpg.connect(self.url, timeout=ANSWER_SECONDS)
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise ServiceUnreachable("PostgreSQL", self.url, self.VARIABLE, error) from error
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@dataclass(frozen=True, slots=True)
class MariadbServer:
    """A MariaDB or MySQL server on which the tests may create databases."""

    url: str

    VARIABLE = "FLOWD_TEST_MARIADB_URL"
    DEFAULT = "mysql://root@127.0.0.1:3306/"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(environment.get(cls.VARIABLE) or cls.DEFAULT)

    async def check(self) -> None:
        """Return once it answers; raise ServiceUnreachable if it does not."""
        await self.execute("SELECT 1")

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The URL of a new database, dropped at the end. It sorts as flowd's migration would have it sort."""
        name = f"flowd_test_{secrets.token_hex(6)}"
        await self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
        try:
            yield urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))
        finally:
            await self.execute(f"DROP DATABASE {name}")

    async def execute(self, *statements: str, database: str | None = None) -> None:
        """Run statements one by one, each committed by itself."""
        parts = urlsplit(self.url)
        try:
            connection = await asyncmy.connect(
                host=parts.hostname or "127.0.0.1",
                port=parts.port or 3306,
                user=parts.username or "root",
                password=parts.password or "",
                database=database,
                autocommit=True,
                connect_timeout=ANSWER_SECONDS,
            )
        except (OSError, asyncmy.errors.MySQLError, TimeoutError) as error:
            raise ServiceUnreachable("MariaDB", self.url, self.VARIABLE, error) from error
        try:
            async with connection.cursor() as cursor:
                for statement in statements:
                    await cursor.execute(statement)
        finally:
            await connection.ensure_closed()


@dataclass(frozen=True, slots=True)
class AmqpServer:
    """A RabbitMQ server on which the tests may declare queues."""

    url: str

    VARIABLE = "FLOWD_TEST_AMQP_URL"
    DEFAULT = "amqp://guest:guest@127.0.0.1:5672/"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(environment.get(cls.VARIABLE) or cls.DEFAULT)

    async def check(self) -> None:
        """Return once it answers; raise ServiceUnreachable if it does not."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                connection = await aio_pika.connect(self.url)
        except (OSError, aio_pika.exceptions.AMQPError, TimeoutError) as error:
            raise ServiceUnreachable("RabbitMQ", self.url, self.VARIABLE, error) from error
        await connection.close()


@dataclass(frozen=True, slots=True)
class SqsServer:
    """A double of Amazon SQS (moto) in a process of its own: it keeps its queues in memory, and checks no signature."""

    url: str

    @classmethod
    @contextmanager
    def started(cls, port: int | None = None) -> Iterator[Self]:
        """Run it on `port` of loopback, or any free one, for the time of the context."""
        port = port or free_port()
        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                server = cls(f"http://127.0.0.1:{port}")
                eventually(server.answers, f"moto to answer at {server.url}")
                yield server
            finally:
                process.kill()

    def answers(self) -> bool:
        """True once it can be asked."""
        try:
            return httpx.get(f"{self.url}/moto-api/", timeout=ANSWER_SECONDS).is_success
        except httpx.TransportError:
            return False
