"""The port to a database's driver: one transaction on one of its connections, whose text statements cost one call.

SQLAlchemy opens the connections, and runs whatever is no text over the same connection, inside the same transaction.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowd.db.rows import Rows
from flowd.domain.errors import Conflict


@dataclass(frozen=True, slots=True)
class Change:
    """An INSERT, UPDATE or DELETE of one table that returns nothing; `touching` is how many rows it must touch."""

    table: str
    statement: str
    parameters: Mapping[str, Any]
    touching: int | None = None

    def check(self, touched: int) -> None:
        """Raise Conflict where it touched another number of rows."""
        if self.touching not in (None, touched):
            raise self.conflict()

    def conflict(self) -> Conflict:
        """Return the error which says that the rows are not what they were when they were read."""
        return Conflict(f"rows of {self.table} changed while they were locked")


class Driver(ABC):
    """One transaction. Every method raises DBAPIError for what the database refuses, and BrokenConnection.

    Neither tells the values of a statement: they may be secrets, or megabytes.

    `is_open` is True from the BEGIN that succeeded to the end of the transaction. `is_answered` is False while a call
    waits, and stays so where its answer can come no more: the connection is to be thrown away then.
    """

    goes_on_alone = False
    """True where the server goes on with a statement, and keeps its locks, though its connection was closed."""

    def __init__(self) -> None:
        self.is_open = False
        self.is_answered = True
        self._is_looking = False
        self._is_brief = False
        self._is_planned_freely = False

    @property
    def is_clean(self) -> bool:
        """True where the next user may have the connection as it is."""
        return self.is_answered and not self.is_open

    @property
    def is_alive(self) -> bool:
        """False where the connection is known to have died since its last transaction, without asking the server."""
        return True

    async def begin(self, *, is_reading: bool, is_brief: bool = False) -> None:
        """Begin; `is_reading` asks for a read-only snapshot, `is_brief` promises that no statement takes long."""
        await self._begin(is_reading=is_reading, is_brief=is_brief)
        self.is_open = True

    def linger(self) -> None:
        """Take back the promise of a brief transaction: from now on a statement may take long."""
        self._is_brief = False

    async def plan_freely(self) -> None:
        """Say that what follows in this transaction was not written for an index: the database is to find the way."""
        self._is_planned_freely = True

    def look(self) -> None:
        """Begin nothing: each statement is a transaction of its own, which takes no round trip beside its own."""
        self._is_looking = True
        self.is_open = True

    async def commit(self) -> None:
        """Write everything. Where this raises, nothing was written, unless the connection broke meanwhile."""
        if not self._is_looking:
            await self._commit()
        self.is_open = False

    async def rollback(self) -> None:
        """Write nothing."""
        if not self._is_looking:
            await self._rollback()
        self.is_open = False

    async def abandon(self) -> None:
        """Make a statement that nobody waits for any more give up; nothing can be run afterwards."""
        self.is_open = False

    async def change(self, changes: Sequence[Change]) -> None:
        """Run changes that touch each row once at the most; raise Conflict where one touches not as many as it must."""
        for one in changes:
            one.check((await self.execute(one.statement, one.parameters)).rowcount)

    @abstractmethod
    async def execute(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        """Run one statement, with its `:name` parameters, and return all its rows."""

    @abstractmethod
    async def _begin(self, *, is_reading: bool, is_brief: bool) -> None: ...

    @abstractmethod
    async def _commit(self) -> None: ...

    @abstractmethod
    async def _rollback(self) -> None: ...
