"""One statement that inserts a row, or sets it where its key is taken: each database spells that differently."""

from collections.abc import Mapping

from sqlalchemy import Executable, Table
from sqlalchemy.dialects import mysql, sqlite

from flowd.db.dialect import Kind


def upsert(kind: Kind, table: Table, row: Mapping[str, object]) -> Executable:
    """Return the statement that leaves `row` in `table`; other columns of a row that was there keep their values."""
    keys = [column.name for column in table.primary_key]
    changed = {name: value for name, value in row.items() if name not in keys}
    match kind:
        case Kind.SQLITE:
            return sqlite.insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=changed)
        case Kind.POSTGRESQL:
            from sqlalchemy.dialects import postgresql  # 2 MiB that a node on SQLite has no use for

            return postgresql.insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=changed)
        case Kind.MYSQL:
            return mysql.insert(table).values(row).on_duplicate_key_update(changed)
