"""Every difference between the databases, each with its reason.

Statements of the hot path take one JSON document of rows as their only varying parameter: so their text is the same for
one row and for five hundred, and is prepared once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Which database it is."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


SQLITE_CLOCK = "flowd_now"

LISTED = "listed_"
"""What begins the name of a parameter whose JSON array MySQL's driver writes out: `listed_int_`, `listed_text_`."""

NO_PAD = {"mariadb": "utf8mb4_nopad_bin", "mysql": "utf8mb4_0900_bin"}
"""The collation by which `a`, `A` and `a ` are three ids, as they are in every other database."""

_FEW = " LIMIT (SELECT CAST(NULL AS bigint))"
"""No limit; but PostgreSQL takes what it cannot foresee for a tenth, here of the hundred that it takes JSON to hold.

For a hundred it would rather read some thousand rows than look up each; and mostly there are less than ten.
"""

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
                # NOW, not SYSDATE, for which no index is used. It is when the statement began: whoever writes it has
                # taken the lock with a statement before.
                return "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"

    @property
    def has_notifications(self) -> bool:
        """True where the database itself carries wake-ups between nodes."""
        return self.kind is Kind.POSTGRESQL

    @property
    def is_ddl_transactional(self) -> bool:
        """True where CREATE and DROP can be rolled back. MySQL commits with each of them."""
        return self.kind is not Kind.MYSQL

    @property
    def for_update(self) -> str:
        """Row lock. SQLite has none and needs none: a write transaction is alone."""
        return "" if self.kind is Kind.SQLITE else " FOR UPDATE"

    @property
    def for_share(self) -> str:
        """Row lock that others may hold too, but nobody may delete or change under."""
        match self.kind:
            case Kind.SQLITE:
                return ""
            case Kind.POSTGRESQL:
                return " FOR SHARE"
            case Kind.MYSQL:
                return " LOCK IN SHARE MODE"  # MariaDB has no FOR SHARE

    def for_update_of(self, alias: str) -> str:
        """Row lock on one table of a join. MariaDB has no OF: there `alias` must be the only table beside `rows`."""
        return f" FOR UPDATE OF {alias}" if self.kind is Kind.POSTGRESQL else self.for_update

    @property
    def skip_locked(self) -> str:
        """Row lock that passes over rows others hold: it shards work, and never guards a shared budget."""
        return "" if self.kind is Kind.SQLITE else " FOR UPDATE SKIP LOCKED"

    @property
    def by_key(self) -> str:
        """Index hint, behind the table, of a statement that locks rows of which it says the keys.

        InnoDB locks what it reads of an index before it locks the row, and whoever changes the row locks the two the
        other way round: a locking statement that found its rows by a column which changes would deadlock.
        """
        return " FORCE INDEX (PRIMARY)" if self.kind is Kind.MYSQL else ""

    def rows(self, columns: Mapping[str, str], *, parameter: str = "rows", alias: str = "r") -> str:
        """SQL for a table of `columns` (name -> int | text | bool | float) read from a JSON array of objects."""
        types = _TYPES[self.kind]
        match self.kind:
            case Kind.SQLITE:
                fields = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in columns)
                return f"(SELECT {fields} FROM json_each(:{parameter})) AS {alias}"
            case Kind.POSTGRESQL:
                fields = ", ".join(f"{name} {types[column]}" for name, column in columns.items())
                return (
                    f"(SELECT * FROM jsonb_to_recordset(CAST(CAST(:{parameter} AS text) AS jsonb)) AS listed({fields})"
                    f"{_FEW}) AS {alias}"
                )
            case Kind.MYSQL:
                fields = ", ".join(f"{name} {types[column]} PATH '$.{name}'" for name, column in columns.items())
                return f"JSON_TABLE(:{parameter}, '$[*]' COLUMNS({fields})) AS {alias}"

    def keys(self, parameter: str = "keys", type_: str = "int") -> str:
        """SQL for what may stand behind IN: the items of a JSON array of scalars."""
        match self.kind:
            case Kind.SQLITE:
                return f"(SELECT value FROM json_each(:{parameter}))"
            case Kind.POSTGRESQL:
                cast = _TYPES[self.kind][type_]
                return (
                    f"(SELECT CAST(item AS {cast})"
                    f" FROM jsonb_array_elements_text(CAST(CAST(:{parameter} AS text) AS jsonb)) AS item{_FEW})"
                )
            case Kind.MYSQL:
                # The values themselves: MariaDB reads the whole table for an UPDATE or DELETE by a subquery.
                return f":{LISTED}{type_}_{parameter}"

    def update(self, table: str, assignments: Mapping[str, str], *, rows: str, where: str) -> str:
        """SQL for an UPDATE of the rows of `table` that meet their row of `rows`, by primary key.

        `assignments` is by column.
        """
        if self.kind is Kind.MYSQL:
            values = ", ".join(f"{table}.{column} = {value}" for column, value in assignments.items())
            return f"UPDATE {rows} {self._looked_up(table)} ON {where} SET {values}"
        values = ", ".join(f"{column} = {value}" for column, value in assignments.items())
        return f"UPDATE {table} SET {values} FROM {rows} WHERE {where}"

    def replace(self, table: str, columns: Mapping[str, str], *, keys: Sequence[str]) -> Sequence[str]:
        """SQL, one statement or two, that puts `rows` into `table`, each in the place of one with the same `keys`."""
        rows, names = self.rows(columns), ", ".join(columns)
        inserted = f"INSERT INTO {table} ({names}) SELECT {names} FROM {rows} WHERE 1 = 1"
        if self.kind is Kind.MYSQL:
            # Not ON DUPLICATE KEY: what it locks beside the row makes two of them deadlock.
            return self.delete(
                table, rows=rows, where=" AND ".join(f"r.{key} = {table}.{key}" for key in keys)
            ), inserted
        values = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
        return (f"{inserted} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {values}",)

    def delete(self, table: str, *, rows: str, where: str) -> str:
        """SQL for a DELETE of the rows of `table` that meet one of `rows`, by primary key."""
        if self.kind is Kind.MYSQL:
            return f"DELETE {table} FROM {rows} {self._looked_up(table)} ON {where}"
        return f"DELETE FROM {table} WHERE EXISTS (SELECT 1 FROM {rows} WHERE {where})"

    def _looked_up(self, table: str) -> str:
        # By its key for each of the rows before it, in their order: a scan, which the optimizer prefers where a table
        # is small, would lock all of it.
        return f"STRAIGHT_JOIN {table} FORCE INDEX (PRIMARY)"
