"""Stored values: what is kept outside the metastore, until no XCom refers to it any more."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowd.db.insert_missing import insert_missing
from flowd.db.moments import to_db
from flowd.db.transaction import Transaction
from flowd.domain.ids import InstanceKey
from flowd.domain.stored_value import StoredValue

_COLUMNS = {"name": "text", "url": "text", "instance": "int", "xcom": "text", "at": "int"}

YOUNGEST = timedelta(hours=1)
"""What is younger stays: a task may have read the reference, and be about to read the value."""


@dataclass(frozen=True, slots=True)
class Unreferred:
    """A stored value that no XCom refers to: its run or XCom was deleted, or another value took its place."""

    name: str
    url: str


async def note(tx: Transaction, stored: Sequence[tuple[InstanceKey, str, StoredValue]], now: datetime) -> None:
    """Keep on record where the values of these XComs are, by instance and name. What is on record stays as it is."""
    rows = [
        {"name": one.name, "url": one.url, "instance": key, "xcom": name, "at": to_db(now)}
        for key, name, one in sorted(stored, key=lambda each: each[2].name)
    ]
    await insert_missing(tx, "stored_value", _COLUMNS, rows)


async def unreferred(tx: Transaction, *, limit: int) -> list[Unreferred]:
    """Return values that no XCom refers to, oldest first, less the youngest."""
    rows = await tx.execute(
        "SELECT s.name, s.url FROM stored_value s LEFT JOIN xcom x"
        " ON x.instance = s.instance AND x.name = s.xcom AND x.stored = s.name"
        " WHERE x.instance IS NULL AND s.at < :before ORDER BY s.at, s.name LIMIT :limit",
        {"before": to_db(await tx.now() - YOUNGEST), "limit": limit},
    )
    return [Unreferred(name, url) for name, url in rows]


async def forget(tx: Transaction, names: Sequence[str]) -> None:
    """Take from the record what is gone."""
    await tx.execute(
        f"DELETE FROM stored_value WHERE name IN {tx.dialect.keys(type_='text')}", {"keys": json.dumps(sorted(names))}
    )
