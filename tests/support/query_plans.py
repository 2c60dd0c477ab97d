"""The plans of the statements that some code runs, as the database itself explains them."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction

_SQLITE_STEP = re.compile(r"^(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?(?:INDEX (\w+)|INTEGER PRIMARY KEY))?")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as it was handed to a transaction."""

    text: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Access:
    """How a plan reads one of the tables that grow; `index` is None where it reads the whole of it."""

    table: str
    index: str | None


@contextmanager
def recorded(tables: Collection[str]) -> Iterator[list[Statement]]:
    """Collect every text statement about these tables that runs meanwhile, in any transaction."""
    statements: list[Statement] = []
    execute = Transaction.execute

    async def note(tx: Transaction, statement: Any, parameters: Any = None) -> Any:
        if isinstance(statement, str) and any(re.search(rf"\b{table}\b", statement) for table in tables):
            statements.append(Statement(statement, parameters or {}))
        return await execute(tx, statement, parameters)

    with patch.object(Transaction, "execute", note):
        yield statements


async def accesses(metastore: Metastore, statement: Statement, tables: Collection[str]) -> list[Access]:
    """Return how the plan of a statement reads these tables."""
    explain = "EXPLAIN QUERY PLAN " if metastore.is_embedded else "EXPLAIN (FORMAT JSON) "
    async with metastore.transaction() as tx:
        rows = [tuple(row) for row in await tx.execute(explain + statement.text, statement.parameters)]
    if metastore.is_embedded:
        found = list(_of_sqlite([str(row[-1]) for row in rows], statement.text))
    else:
        plan = rows[0][0] if isinstance(rows[0][0], list) else json.loads(rows[0][0])
        found = list(_of_postgresql(plan[0]["Plan"]))
    return [access for access in found if access.table in tables]


def _of_postgresql(node: dict[str, Any], bitmap_of: str = "") -> Iterator[Access]:
    table = node.get("Relation Name", bitmap_of)
    match node["Node Type"]:
        case "Seq Scan":
            yield Access(table, None)
        case "Index Scan" | "Index Only Scan" | "Bitmap Index Scan":
            yield Access(table, node["Index Name"])
    for below in node.get("Plans", []):
        yield from _of_postgresql(below, table if node["Node Type"].startswith("Bitmap") else "")


def _of_sqlite(steps: list[str], text: str) -> Iterator[Access]:
    for step in steps:
        if found := _SQLITE_STEP.match(step):
            verb, name, index = found.groups()
            # The plan names a table by its alias in the statement.
            aliased = re.search(rf"\b(?:FROM|JOIN) (\w+)(?: AS)? {name}\b", text)
            yield Access(aliased[1] if aliased else name, index or ("rowid" if verb == "SEARCH" else None))
