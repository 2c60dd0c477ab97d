"""Transaction: what every function that reads or writes the metastore is given."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, overload

from sqlalchemy import CursorResult, Executable, SelectBase
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncConnection

from flowd.db.actor import Actor, Change
from flowd.db.dialect import Dialect, Kind
from flowd.db.driver import Change as Deferred
from flowd.db.driver import Driver
from flowd.db.joint_answers import JointReader
from flowd.db.moments import from_db, microseconds_now
from flowd.db.rows import Row, Rows


class Transaction:
    """A connection inside one transaction, on whose behalf it is, and how its database says things.

    `joint` gives it answers of others who read at the same time; None where it writes.
    """

    __slots__ = ("_connection", "_deferred", "_driver", "actor", "changes", "dialect", "has_written", "joint")

    def __init__(
        self,
        connection: AsyncConnection,
        driver: Driver,
        dialect: Dialect,
        actor: Actor | None = None,
        joint: JointReader | None = None,
    ) -> None:
        self._connection = connection
        self._driver = driver
        self._deferred: list[Deferred] = []
        self.dialect = dialect
        self.actor = actor
        self.joint = joint
        self.changes: list[Change] = []
        self.has_written = False

    @property
    def connection(self) -> AsyncConnection:
        """SQLAlchemy's connection, inside this transaction, for savepoints and for `run_sync`.

        What was deferred must have been flushed: it belongs in front of a savepoint.
        """
        self._require_open()
        if self._deferred:
            raise AssertionError(f"changes of {self._deferred[0].table} are deferred: flush() them first")
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
        if self._deferred:
            await self.flush()
        if self.actor is not None and not _is_reading(statement):
            self.has_written = True
        if not isinstance(statement, str):
            connection = self.connection
            await self._driver.plan_freely()
            return await connection.execute(statement, parameters)
        self._require_open()
        return await self._driver.execute(statement, parameters or {})

    async def defer(
        self, table: str, statement: str, parameters: Mapping[str, Any], *, touching: int | None = None
    ) -> None:
        """Run this change of `table` before the next statement, and at the latest before the commit.

        Changes of different tables are then run in one round trip where the database can. `touching` is how many rows
        it must touch: `flush` raises Conflict where it is another number.
        """
        self._require_open()
        if any(one.table == table for one in self._deferred):
            await self.flush()
        self.has_written = True
        self._deferred.append(Deferred(table, statement, parameters, touching))

    def tell(self, thing: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> None:
        """Say for the audit log what has become of a thing: None before is new, None after is gone; no secrets."""
        if self.actor is not None:
            self.has_written = True
            self.changes.append(Change(thing, before, after))

    async def flush(self) -> None:
        """Run what was deferred; raise Conflict where a change touched not as many rows as it must."""
        if self._deferred:
            deferred, self._deferred = self._deferred, []
            await self._driver.change(deferred)

    async def now(self) -> datetime:
        """Return the metastore's clock: the only one that is compared across nodes."""
        if self.dialect.kind is Kind.SQLITE:
            return from_db(microseconds_now())
        return from_db(int((await self.execute(f"SELECT {self.dialect.now}")).scalar_one()))

    def linger(self) -> None:
        """Say that what follows may take long after all: an embedded database then works beside the event loop."""
        self._require_open()
        self._driver.linger()

    async def lock(self, statement: str, parameters: Mapping[str, Any]) -> tuple[Sequence[Row], datetime]:
        """Run a SELECT that locks rows; return them, and the metastore's clock when the locks had been given."""
        if self.dialect.kind is not Kind.POSTGRESQL:
            return (await self.execute(statement, parameters)).mappings().all(), await self.now()
        # One round trip for both. The clock is read outside, for each row that has its lock: the last row's is the one.
        clocked = f"SELECT locked.*, {self.dialect.now} AS clock_ FROM ({statement}) AS locked"
        rows = (await self.execute(clocked, parameters)).mappings().all()
        return rows, from_db(rows[-1]["clock_"]) if rows else await self.now()

    def _require_open(self) -> None:
        if not self._driver.is_open:
            # The connection may be somebody else's by now.
            raise ResourceClosedError("this transaction is over")


def _is_reading(statement: str | Executable) -> bool:
    if isinstance(statement, str):
        return statement.lstrip()[:6].upper() == "SELECT"
    return isinstance(statement, SelectBase)
