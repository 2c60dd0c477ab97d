"""The port to a database's driver: one transaction on one of its connections, whose text statements cost one call.

SQLAlchemy pools the connections, and runs whatever is no text over the same connection, inside the same transaction.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from flowd.db.rows import Rows


class Driver(ABC):
    """One transaction. Every method raises DBAPIError for what the database refuses, and BrokenConnection.

    `is_open` is True from the BEGIN that succeeded to the end of the transaction. `is_answered` is False while a call
    waits, and stays so where its answer can come no more: the connection is to be thrown away then.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.is_answered = True

    @property
    def is_clean(self) -> bool:
        """True where the next user may have the connection as it is."""
        return self.is_answered and not self.is_open

    async def begin(self, *, is_reading: bool) -> None:
        """Begin; `is_reading` asks for a read-only snapshot."""
        await self._begin(is_reading=is_reading)
        self.is_open = True

    async def commit(self) -> None:
        """Write everything. Where this raises, nothing was written, unless the connection broke meanwhile."""
        await self._commit()
        self.is_open = False

    async def rollback(self) -> None:
        """Write nothing."""
        await self._rollback()
        self.is_open = False

    async def abandon(self) -> None:
        """Make a statement that nobody waits for any more give up; nothing can be run afterwards."""
        self.is_open = False

    @abstractmethod
    async def execute(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        """Run one statement, with its `:name` parameters, and return all its rows."""

    @abstractmethod
    async def _begin(self, *, is_reading: bool) -> None: ...

    @abstractmethod
    async def _commit(self) -> None: ...

    @abstractmethod
    async def _rollback(self) -> None: ...
