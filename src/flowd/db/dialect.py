"""Every difference between the databases, each with its reason.

Statements of the hot path take one JSON document of rows as their only varying parameter: so their text is the same for
one row and for five hundred, and is prepared once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Which database it is."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


SQLITE_CLOCK = "flowd_now"

_TYPES: dict[Kind, dict[str, str]] = {
    Kind.SQLITE: {},
    Kind.POSTGRESQL: {"int": "bigint", "text": "text", "bool": "boolean", "float": "double precision"},
    Kind.MYSQL: {"int": "BIGINT", "text": "LONGTEXT", "bool": "BOOLEAN", "float": "DOUBLE"},
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one database says what all must be able to say."""

    kind: Kind

    @property
    def now(self) -> str:
        """SQL for the metastore's clock in microseconds since 1970."""
        match self.kind:
            case Kind.SQLITE:
                # SQLite runs in this process and counts in milliseconds: each connection is given this function.
                return f"{SQLITE_CLOCK}()"
            case Kind.POSTGRESQL:
                # clock_timestamp, not now(): a transaction that waited for a lock must not write the past.
                return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)"
            case Kind.MYSQL:
                return "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)"

    @property
    def migration_lock(self) -> str | None:
        """Statement that lets one process migrate at a time. SQLite needs none: a write transaction is alone."""
        match self.kind:
            case Kind.SQLITE:
                return None
            case Kind.POSTGRESQL:
                return "SELECT pg_advisory_xact_lock(7235419)"
            case Kind.MYSQL:
                # Of the session: MySQL commits with every CREATE TABLE, which would free a lock of the transaction.
                return "DO GET_LOCK('flowd migration', 60)"

    @property
    def exclusive_bundles(self) -> str | None:
        """Statement after which nobody stores a bundle until the end of the transaction.

        Whoever stores one inserts its row before its contents, in one transaction: so no content is deleted that a
        new bundle is about to share.
        """
        # SQLite needs none: a write transaction is alone. MySQL's LOCK TABLES would end the transaction.
        return "LOCK TABLE bundle IN SHARE ROW EXCLUSIVE MODE" if self.kind is Kind.POSTGRESQL else None

    @property
    def for_update(self) -> str:
        """Row lock. SQLite has none and needs none: a write transaction is alone."""
        return "" if self.kind is Kind.SQLITE else " FOR UPDATE"

    def for_update_of(self, alias: str) -> str:
        """Row lock on one table of a join."""
        return "" if self.kind is Kind.SQLITE else f" FOR UPDATE OF {alias}"

    @property
    def skip_locked(self) -> str:
        """Row lock that passes over rows others hold: it shards work, and never guards a shared budget."""
        return "" if self.kind is Kind.SQLITE else " FOR UPDATE SKIP LOCKED"

    def rows(self, columns: Mapping[str, str], *, parameter: str = "rows", alias: str = "r") -> str:
        """SQL for a table of `columns` (name -> int | text | bool | float) read from a JSON array of objects."""
        types = _TYPES[self.kind]
        match self.kind:
            case Kind.SQLITE:
                fields = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in columns)
                return f"(SELECT {fields} FROM json_each(:{parameter})) AS {alias}"
            case Kind.POSTGRESQL:
                fields = ", ".join(f"{name} {types[column]}" for name, column in columns.items())
                return f"jsonb_to_recordset(CAST(CAST(:{parameter} AS text) AS jsonb)) AS {alias}({fields})"
            case Kind.MYSQL:
                fields = ", ".join(f"{name} {types[column]} PATH '$.{name}'" for name, column in columns.items())
                return f"JSON_TABLE(:{parameter}, '$[*]' COLUMNS({fields})) AS {alias}"

    def keys(self, parameter: str = "keys", type_: str = "int") -> str:
        """SQL for a subquery of one column read from a JSON array of scalars."""
        match self.kind:
            case Kind.SQLITE:
                return f"(SELECT value FROM json_each(:{parameter}))"
            case Kind.POSTGRESQL:
                cast = _TYPES[self.kind][type_]
                return (
                    f"(SELECT CAST(item AS {cast})"
                    f" FROM jsonb_array_elements_text(CAST(CAST(:{parameter} AS text) AS jsonb)) AS item)"
                )
            case Kind.MYSQL:
                column = f"item {_TYPES[self.kind][type_]} PATH '$'"
                return f"(SELECT item FROM JSON_TABLE(:{parameter}, '$[*]' COLUMNS({column})) AS k)"
