"""Any database through SQLAlchemy itself, which throws broken connections away by itself: MySQL and MariaDB."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from flowd.db.driver import Driver
from flowd.db.rows import Rows


class SqlalchemyDriver(Driver):
    """A transaction on a connection of SQLAlchemy."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__()
        self._connection = connection

    async def execute(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        result = await self._connection.execute(_parsed(statement), parameters)
        rows = result.all() if result.returns_rows else []
        return Rows(rows, [row._mapping for row in rows], result.rowcount)

    async def _begin(self, *, is_reading: bool) -> None:
        await self._connection.begin()

    async def _commit(self) -> None:
        await self._connection.commit()

    async def _rollback(self) -> None:
        await self._connection.rollback()


@lru_cache(maxsize=1_000)
def _parsed(statement: str) -> TextClause:
    """Return the statement with its parameters found, once for each of the few texts there are."""
    return text(statement)
