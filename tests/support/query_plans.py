"""The plans of the statements that some code runs, as the database itself explains them."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from flowd.db.dialect import Kind
from flowd.db.metastore import Metastore
from flowd.db.rows import Row
from flowd.db.transaction import Transaction

_EXPLAIN = {
    Kind.SQLITE: "EXPLAIN QUERY PLAN ",
    Kind.POSTGRESQL: "EXPLAIN (FORMAT JSON) ",
    Kind.MYSQL: "EXPLAIN ",
}
_SQLITE_STEP = re.compile(r"^(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?(?:INDEX (\w+)|INTEGER PRIMARY KEY))?")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as it was handed to a transaction."""

    text: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Access:
    """How a plan reads one of the tables that grow; `index` is None where it reads the whole of it.

    `is_of_all` is True where PostgreSQL reads an index from its beginning to its end.
    """

    table: str
    index: str | None
    is_of_all: bool = False


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
    async with metastore.transaction() as tx:
        rows = await tx.execute(_EXPLAIN[metastore.dialect.kind] + statement.text, statement.parameters)
    match metastore.dialect.kind:
        case Kind.SQLITE:
            found = list(_of_sqlite([str(row[-1]) for row in rows], statement.text))
        case Kind.POSTGRESQL:
            plan = rows.scalar_one()
            found = list(_of_postgresql((plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]))
        case Kind.MYSQL:
            found = list(_of_mysql(rows.mappings(), statement.text))
    return [access for access in found if access.table in tables]


def _of_mysql(steps: Iterable[Row], text: str) -> Iterator[Access]:
    for step in steps:
        name, way, index = step["table"], step["type"], step["key"]
        if name is None or way in (None, "system"):
            continue  # no table, or one that is proven to hold nothing of interest
        aliased = re.search(rf"\b(?:FROM|JOIN|UPDATE) (\w+)(?: AS)? {name}\b", text)
        # "index" reads the whole of one, in its order; "a|b" reads a, less what b says is none of it.
        yield Access(aliased[1] if aliased else name, None if way in ("ALL", "index") else index.partition("|")[0])


def _of_postgresql(node: dict[str, Any], bitmap_of: str = "") -> Iterator[Access]:
    table = node.get("Relation Name", bitmap_of)
    match node["Node Type"]:
        case "Seq Scan":
            yield Access(table, None)
        case "Index Scan" | "Index Only Scan" | "Bitmap Index Scan":
            yield Access(table, node["Index Name"], "Index Cond" not in node)
    for below in node.get("Plans", []):
        yield from _of_postgresql(below, table if node["Node Type"].startswith("Bitmap") else "")


def _of_sqlite(steps: list[str], text: str) -> Iterator[Access]:
    for step in steps:
        if found := _SQLITE_STEP.match(step):
            verb, name, index = found.groups()
            # The plan names a table by its alias in the statement.
            aliased = re.search(rf"\b(?:FROM|JOIN) (\w+)(?: AS)? {name}\b", text)
            yield Access(aliased[1] if aliased else name, index or ("rowid" if verb == "SEARCH" else None))
