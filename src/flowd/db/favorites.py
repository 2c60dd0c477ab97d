"""The DAGs that people have marked as their favourites."""

import json
from collections.abc import Collection

from flowd.db.dialect import Kind
from flowd.db.transaction import Transaction


async def is_kept_for(tx: Transaction, username: str) -> bool:
    """Return whether somebody has an account, to which favourites belong."""
    found = await tx.execute("SELECT 1 FROM account WHERE username = :username", {"username": username})
    return found.first() is not None


async def mark(tx: Transaction, username: str, dag_id: str) -> None:
    """Make the DAG, which there must be, a favourite of this user; one that it is already stays it."""
    is_mysql = tx.dialect.kind is Kind.MYSQL
    await tx.execute(
        f"INSERT {'IGNORE ' if is_mysql else ''}INTO dag_favorite (username, dag_id) VALUES (:username, :dag_id)"
        f"{'' if is_mysql else ' ON CONFLICT DO NOTHING'}",
        {"username": username, "dag_id": dag_id},
    )


async def unmark(tx: Transaction, username: str, dag_id: str) -> bool:
    """Let the DAG be no favourite of this user; return False where it was none."""
    gone = await tx.execute(
        "DELETE FROM dag_favorite WHERE username = :username AND dag_id = :dag_id",
        {"username": username, "dag_id": dag_id},
    )
    return gone.rowcount == 1


async def is_favorite(tx: Transaction, username: str, dag_id: str) -> bool:
    """Return whether the DAG is a favourite of this user."""
    rows = await tx.execute(
        "SELECT 1 FROM dag_favorite WHERE username = :username AND dag_id = :dag_id",
        {"username": username, "dag_id": dag_id},
    )
    return rows.first() is not None


async def favorites_of(tx: Transaction, username: str, dag_ids: Collection[str]) -> frozenset[str]:
    """Return which of these DAGs are favourites of this user."""
    rows = await tx.execute(
        "SELECT dag_id FROM dag_favorite WHERE username = :username"
        f" AND dag_id IN {tx.dialect.keys('dag_ids', 'text')}",
        {"username": username, "dag_ids": json.dumps(sorted(dag_ids))},
    )
    return frozenset(dag_id for (dag_id,) in rows)
