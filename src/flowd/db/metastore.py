"""Metastore: the connections to the database, and the transactions over them."""

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeVar

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from flowd.db import audit
from flowd.db.actor import Actor
from flowd.db.connections import Connections
from flowd.db.dialect import Dialect, Kind
from flowd.db.driver import Driver
from flowd.db.driver_postgresql import PostgresqlDriver
from flowd.db.driver_sqlite import SqliteDriver
from flowd.db.engine import connect_mysql, engines, most_connections
from flowd.db.failures import BrokenConnection, is_transient, unavailable
from flowd.db.joint_answers import JointAnswers, JointReader
from flowd.db.metastore_url import normalise
from flowd.db.transaction import Transaction
from flowd.domain.errors import InvalidSettings, MetastoreUnavailable

Result = TypeVar("Result")


class Metastore:
    """The database of a node. `transaction` writes, `reading` reads; both give a connection for one `async with`."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url, kind = normalise(url)
        self.dialect = Dialect(kind)
        told = self.url.set(
            drivername=self.url.get_backend_name()
        )  # as people write it: which driver is flowd's matter
        self.name = told.render_as_string(hide_password=True)
        self._writer, self._reader = _connections(self.url, kind, pool_size)
        self._joint = JointAnswers()
        self.actor: Actor | None = None

    @property
    def is_embedded(self) -> bool:
        """True for SQLite, whose file only processes of this machine can share."""
        return self.dialect.kind is Kind.SQLITE

    @property
    def pooled_out(self) -> int:
        """How many connections are lent out now; tests assert that none is left."""
        return sum(connections.lent_out for connections in {self._writer, self._reader})

    def acting_for(self, actor: Actor) -> "Metastore":
        """Return the same database, with the same connections, for transactions on behalf of `actor`."""
        theirs = copy.copy(self)
        theirs.actor = actor
        return theirs

    def transaction(self, *, is_brief: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """A write transaction: committed at the end of the context, rolled back by an exception.

        `is_brief` promises that none of its text statements takes more than a few milliseconds: an embedded database
        then runs them in the event loop.

        Raises MetastoreUnavailable where the database is away or the transaction lost against another one; either way
        nothing was written unless the connection broke during COMMIT itself. What an actor writes is committed with
        a row of the audit log.
        """
        return self._begun(self._writer, lambda driver: driver.begin(is_reading=False, is_brief=is_brief))

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """A read-only snapshot: every statement in it sees the same moment. It waits for no writer."""
        return self._begun(self._reader, lambda driver: driver.begin(is_reading=True), self._joint.reader())

    def glance(self) -> AbstractAsyncContextManager[Transaction]:
        """Brief reads, each of a moment of its own: for agents that look whether there is anything to do."""
        return self._begun(self._reader, _look)

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
        """Close every connection that is not in use."""
        for connections in {self._writer, self._reader}:
            await connections.close()

    @asynccontextmanager
    async def _begun(
        self,
        connections: Connections,
        begin: Callable[[Driver], Awaitable[None]],
        joint: JointReader | None = None,
    ) -> AsyncIterator[Transaction]:
        """A transaction whose errors are translated, and whose connection is given back whatever happens."""
        try:
            lent = await connections.lend()
        except InvalidSettings:
            raise  # a server that no waiting will help
        except Exception as error:
            # Whatever keeps a driver from connecting: each raises errors of its own here, which SQLAlchemy wraps not.
            raise unavailable(self.name, error) from error
        try:
            await begin(lent.driver)
            tx = Transaction(lent.connection, lent.driver, self.dialect, self.actor, joint)
            yield tx
            if tx.actor is not None and tx.has_written:
                await tx.execute(audit.statement_of(tx.actor, tx.changes, await tx.now()))
            await tx.flush()
            await lent.driver.commit()
        except DBAPIError as error:
            if is_transient(error):
                raise unavailable(self.name, error) from error
            raise
        except BrokenConnection as error:
            raise unavailable(self.name, error) from error
        finally:
            await connections.take_back(lent)


async def _look(driver: Driver) -> None:
    driver.look()


def _connections(url: URL, kind: Kind, pool_size: int) -> tuple[Connections, Connections]:
    """Return the connections for writers and those for readers, which may be the same."""
    writer, reader = engines(url, kind)
    writers, readers = most_connections(kind, pool_size)
    lend = partial(_driver, kind)
    writing = Connections(writer, writers, lend)
    return writing, writing if reader is writer else Connections(reader, readers, lend)


def _driver(kind: Kind, connection: AsyncConnection) -> Driver:
    """Return the driver for one transaction on this connection."""
    assert connection.sync_connection is not None
    lent = connection.sync_connection.connection
    match kind:
        case Kind.SQLITE:
            assert lent.driver_connection is not None
            return SqliteDriver(lent.driver_connection)
        case Kind.POSTGRESQL:
            return PostgresqlDriver(lent.driver_connection, lent.info)
        case Kind.MYSQL:
            from flowd.db.driver_mysql import MysqlDriver  # asyncmy is an extra of the package

            return MysqlDriver(lent.driver_connection, lent.info, connect=partial(connect_mysql, connection.engine.url))
