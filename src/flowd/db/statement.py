"""Text statements as their driver takes them: `:name` made into the driver's placeholders, once for each text."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.sql.compiler import SQLCompiler

from flowd.db.dialect import Kind

_DIALECTS: Mapping[Kind, Dialect] = {
    Kind.SQLITE: make_url("sqlite+aiosqlite://").get_dialect()(),
    Kind.POSTGRESQL: make_url("postgresql+asyncpg://").get_dialect()(),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with the driver's placeholders, and the names of the parameters in their order."""

    sql: str
    names: tuple[str, ...]

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        """Return the parameters in the order of the placeholders; raise KeyError for one that is missing."""
        return [parameters[name] for name in self.names]


@lru_cache(maxsize=1_000)
def compiled(kind: Kind, statement: str) -> Statement:
    """Return the statement for the driver of SQLite or PostgreSQL. There are few texts, each run many times."""
    found = text(statement).compile(dialect=_DIALECTS[kind])
    assert isinstance(found, SQLCompiler)
    return Statement(str(found), tuple(found.positiontup or ()))
