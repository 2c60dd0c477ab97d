"""Inserting rows where there are none of their keys, whoever else does so at this moment."""

from collections.abc import Mapping, Sequence
from typing import Any

from flowd.db.dialect import Kind
from flowd.db.ledger.read import as_json
from flowd.db.transaction import Transaction


async def insert_missing(
    tx: Transaction, table: str, columns: Mapping[str, str], rows: Sequence[dict[str, Any]]
) -> None:
    """Insert the rows, less those whose key is taken. Give them in the order of their keys, for the sake of locks."""
    if not rows:
        return
    names = ", ".join(columns)
    is_mysql = tx.dialect.kind is Kind.MYSQL
    await tx.execute(
        f"INSERT {'IGNORE ' if is_mysql else ''}INTO {table} ({names}) SELECT {names} FROM {tx.dialect.rows(columns)}"
        f" WHERE 1 = 1{'' if is_mysql else ' ON CONFLICT DO NOTHING'}",
        {"rows": as_json(list(rows))},
    )
