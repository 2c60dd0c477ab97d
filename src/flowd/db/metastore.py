"""Metastore: the connections to the database, and the transactions over them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from flowd.db.dialect import Dialect, Kind
from flowd.db.driver import Driver
from flowd.db.driver_postgresql import PostgresqlDriver
from flowd.db.driver_sqlalchemy import SqlalchemyDriver
from flowd.db.driver_sqlite import SqliteDriver
from flowd.db.engine import engines
from flowd.db.failures import BrokenConnection, is_transient, unavailable
from flowd.db.metastore_url import normalise
from flowd.db.transaction import Transaction
from flowd.domain.errors import MetastoreUnavailable

Result = TypeVar("Result")


class Metastore:
    """The database of a node. `transaction` writes, `reading` reads; both give a connection for one `async with`."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url, kind = normalise(url)
        self.dialect = Dialect(kind)
        self.name = self.url.render_as_string(hide_password=True)
        self._writer, self._reader = engines(self.url, kind, pool_size)

    @property
    def is_embedded(self) -> bool:
        """True for SQLite, whose file only processes of this machine can share."""
        return self.dialect.kind is Kind.SQLITE

    @property
    def pooled_out(self) -> int:
        """How many connections are lent out now; tests assert that none is left."""
        pools = {engine.pool for engine in (self._writer, self._reader)}
        return sum(pool.checkedout() for pool in pools)  # type: ignore[attr-defined]

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A write transaction: committed at the end of the context, rolled back by an exception.

        Raises MetastoreUnavailable where the database is away or the transaction lost against another one; either way
        nothing was written unless the connection broke during COMMIT itself.
        """
        return self._begun(self._writer, is_reading=False)

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """A read-only snapshot: every statement in it sees the same moment. It waits for no writer."""
        return self._begun(self._reader, is_reading=True)

    async def retrying(self, action: Callable[[], Awaitable[Result]], *, tries: int = 3) -> Result:
        """Return what `action` returns, called again where its transaction lost against another one."""
        for left in reversed(range(tries)):
            try:
                return await action()
            except MetastoreUnavailable:
                if not left:
                    raise
                await asyncio.sleep(0.05)
        raise AssertionError("unreachable: the last try returns or raises")

    async def close(self) -> None:
        """Close every pooled connection."""
        for engine in {self._writer, self._reader}:
            await engine.dispose()

    @asynccontextmanager
    async def _begun(self, engine: AsyncEngine, *, is_reading: bool) -> AsyncIterator[Transaction]:
        """A transaction whose errors are translated, and whose connection is given back whatever happens."""
        try:
            connection = await engine.connect()
        except Exception as error:
            # Whatever keeps a driver from connecting: each raises errors of its own here, which SQLAlchemy wraps not.
            raise unavailable(self.name, error) from error
        driver = _driver(self.dialect.kind, connection)
        try:
            await driver.begin(is_reading=is_reading)
            yield Transaction(connection, driver, self.dialect)
            await driver.commit()
        except DBAPIError as error:
            if is_transient(error):
                raise unavailable(self.name, error) from error
            raise
        except BrokenConnection as error:
            raise unavailable(self.name, error) from error
        finally:
            if driver.is_clean and not connection.in_transaction():
                await connection.close()  # waits for nothing, so that nothing can cancel it halfway
            else:
                await asyncio.shield(_clear_up(connection, driver))


def _driver(kind: Kind, connection: AsyncConnection) -> Driver:
    """Return the driver for a transaction on this connection, just lent by the pool."""
    assert connection.sync_connection is not None
    lent = connection.sync_connection.connection
    match kind:
        case Kind.SQLITE:
            assert lent.driver_connection is not None
            return SqliteDriver(lent.driver_connection)
        case Kind.POSTGRESQL:
            return PostgresqlDriver(lent.driver_connection, lent.info)
        case Kind.MYSQL:
            return SqlalchemyDriver(connection)


async def _clear_up(connection: AsyncConnection, driver: Driver) -> None:
    """Give the connection back rolled back, or throw it away: the pool does not look at what it is given."""
    if not connection.invalidated:  # as SQLAlchemy does with the connection of a statement of its own that broke
        if driver.is_open and driver.is_answered:
            with suppress(DBAPIError, BrokenConnection):  # the first error is the one to tell; it is not clean then
                await driver.rollback()
        if not driver.is_clean:
            await driver.abandon()
            await connection.invalidate()
    await connection.close()
