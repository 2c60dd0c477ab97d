"""Transaction: what every function that reads or writes the metastore is given."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, overload

from sqlalchemy import CursorResult, Executable
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncConnection

from flowd.db.dialect import Dialect, Kind
from flowd.db.driver import Driver
from flowd.db.moments import from_db, microseconds_now
from flowd.db.rows import Rows


class Transaction:
    """A connection inside one transaction, and how its database says things."""

    __slots__ = ("_connection", "_driver", "dialect")

    def __init__(self, connection: AsyncConnection, driver: Driver, dialect: Dialect) -> None:
        self._connection = connection
        self._driver = driver
        self.dialect = dialect

    @property
    def connection(self) -> AsyncConnection:
        """SQLAlchemy's connection, inside this transaction, for savepoints and for `run_sync`."""
        sync = self._connection.sync_connection
        if sync is not None and not sync.in_transaction():
            # It sends nothing, for the connection is in AUTOCOMMIT; but alembic would begin, and commit, otherwise.
            sync.begin()
        return self._connection

    @overload
    async def execute(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Rows: ...
    @overload
    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[*tuple[Any, ...]]: ...
    async def execute(
        self, statement: str | Executable, parameters: Any = None
    ) -> Rows | CursorResult[*tuple[Any, ...]]:
        """Run a text statement straight on the driver, or any other through SQLAlchemy.

        One that is not a text may be run once for each of a sequence of parameters.
        """
        if not isinstance(statement, str):
            return await self.connection.execute(statement, parameters)
        if not self._driver.is_open:
            # The connection may be somebody else's by now.
            raise ResourceClosedError("this transaction is over")
        return await self._driver.execute(statement, parameters or {})

    async def now(self) -> datetime:
        """Return the metastore's clock: the only one that is compared across nodes."""
        if self.dialect.kind is Kind.SQLITE:
            return from_db(microseconds_now())
        return from_db(int((await self.execute(f"SELECT {self.dialect.now}")).scalar_one()))
