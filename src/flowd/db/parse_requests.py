"""DAG files that somebody wants parsed again, until a scheduler takes them on."""

import json

from flowd.db.dialect import Kind
from flowd.db.transaction import Transaction


async def ask(tx: Transaction, file: str) -> bool:
    """Ask for a file to be parsed again; return False where no DAG and no import error is of it."""
    known = await tx.execute(
        "SELECT 1 FROM dag WHERE file = :file AND bundle_name IS NULL"
        " UNION ALL SELECT 1 FROM import_error WHERE file = :file",
        {"file": file},
    )
    if known.first() is None:
        return False
    is_mysql = tx.dialect.kind is Kind.MYSQL
    await tx.execute(
        f"INSERT {'IGNORE ' if is_mysql else ''}INTO parse_request (file) VALUES (:file)"
        f"{'' if is_mysql else ' ON CONFLICT DO NOTHING'}",
        {"file": file},
    )
    return True


async def asked_for(tx: Transaction) -> set[str]:
    """Return the files that are asked for."""
    return {file for (file,) in await tx.execute("SELECT file FROM parse_request")}


async def take(tx: Transaction, files: set[str]) -> None:
    """Forget that these files are asked for: they are going to be parsed."""
    await tx.execute(
        f"DELETE FROM parse_request WHERE file IN {tx.dialect.keys(type_='text')}", {"keys": json.dumps(sorted(files))}
    )
