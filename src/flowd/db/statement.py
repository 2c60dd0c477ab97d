"""Text statements as their driver takes them: `:name` made into the driver's placeholders, once for each text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.sql.compiler import SQLCompiler

from flowd.db.dialect import Kind

_URLS = {
    Kind.SQLITE: "sqlite+aiosqlite://",
    Kind.POSTGRESQL: "postgresql+asyncpg://",
    Kind.MYSQL: "mysql+asyncmy://",
}

_PLACEHOLDER = re.compile(r"\$\d+")


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
    """Return the statement for the driver of this database. There are few texts, each run many times."""
    found = text(statement).compile(dialect=_dialect(kind))
    assert isinstance(found, SQLCompiler)
    return Statement(str(found), tuple(found.positiontup or ()))


@dataclass(frozen=True, slots=True)
class Together:
    """Several changes as one statement, which answers one row: how many rows each touched.

    `names` are the parameters in the order of the placeholders, each with the place of its change.
    """

    sql: str
    names: tuple[tuple[int, str], ...]


@lru_cache(maxsize=1_000)
def as_one(kind: Kind, statements: tuple[str, ...]) -> Together:
    """Return these changes as parts of one WITH. All of them see what was there before: none may need another's rows.

    Nor may two of them touch one row: PostgreSQL would write only one of both, and does not say which.
    """
    names: list[tuple[int, str]] = []
    parts: list[str] = []
    for place, statement in enumerate(statements):
        ready = compiled(kind, statement)
        parts.append(f"c{place} AS ({_renumbered(ready.sql, behind=len(names))} RETURNING 1)")
        names += [(place, name) for name in ready.names]
    counts = ", ".join(f"(SELECT COUNT(*) FROM c{place})" for place in range(len(statements)))
    return Together(f"WITH {', '.join(parts)} SELECT {counts}", tuple(names))


def _renumbered(sql: str, *, behind: int) -> str:
    return _PLACEHOLDER.sub(lambda found: f"${int(found[0][1:]) + behind}", sql)


@lru_cache
def _dialect(kind: Kind) -> Dialect:
    # When it is wanted: a node has one database, and each dialect takes time and memory to load.
    return make_url(_URLS[kind]).get_dialect()()
