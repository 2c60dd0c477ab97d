"""Import errors: why a DAG file, or a DAG in it, could not be taken. One row per file."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from flowd.db.moments import to_db
from flowd.db.tables import import_error
from flowd.db.transaction import Transaction
from flowd.domain.errors import Conflict


async def replace(tx: Transaction, files: Collection[str], errors: Mapping[str, str], now: datetime) -> None:
    """Write `errors` (by file) as all that is wrong with `files`: those without one have none any more.

    An error that stays the same keeps its row and its time. Raises Conflict where another node writes the same files
    at this moment.
    """
    rows = await tx.execute(
        f"SELECT file, message FROM import_error WHERE file IN {tx.dialect.keys(type_='text')}",
        {"keys": json.dumps(sorted(files))},
    )
    before = {file: message for file, message in rows}
    after = {file: storable(message) for file, message in errors.items()}
    over = sorted(file for file, message in before.items() if after.get(file) != message)
    if over:
        await tx.execute(
            f"DELETE FROM import_error WHERE file IN {tx.dialect.keys(type_='text')}", {"keys": json.dumps(over)}
        )
    new = [
        {"file": file, "message": message, "at": to_db(now)}
        for file, message in sorted(after.items())
        if before.get(file) != message
    ]
    if new:
        try:
            await tx.execute(insert(import_error), new)
        except IntegrityError as error:
            raise Conflict("another scheduler writes import errors of the same files at this moment") from error


async def files(tx: Transaction) -> set[str]:
    """Return the files that have an import error."""
    return {file for (file,) in await tx.execute("SELECT file FROM import_error")}


def storable(text: str) -> str:
    """Return the text without what databases refuse: NUL characters and halves of surrogate pairs."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
