"""The plans of the statements that some code runs, as the database itself explains them."""

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event

from flowd.db.engine import Metastore

_SQLITE_STEP = re.compile(r"^(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?(?:INDEX (\w+)|INTEGER PRIMARY KEY))?")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as it reached the driver."""

    text: str
    parameters: Any


@dataclass(frozen=True, slots=True)
class Access:
    """How a plan reads one of the tables that grow; `index` is None where it reads the whole of it."""

    table: str
    index: str | None


@contextmanager
def recorded(metastore: Metastore, tables: Collection[str]) -> Iterator[list[Statement]]:
    """Collect every statement about these tables that the metastore runs meanwhile."""
    statements: list[Statement] = []

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, executemany: bool) -> None:
        if not executemany and any(re.search(rf"\b{table}\b", text) for table in tables):
            statements.append(Statement(text, parameters))

    # Two faces of one pool report to the same listeners: one is enough.
    engines = {engine.pool: engine.sync_engine for engine in (metastore._reader, metastore._writer)}.values()
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


async def accesses(metastore: Metastore, statement: Statement, tables: Collection[str]) -> list[Access]:
    """Return how the plan of a statement reads these tables."""
    explain = "EXPLAIN QUERY PLAN " if metastore.is_embedded else "EXPLAIN (FORMAT JSON) "
    async with metastore.transaction() as tx:
        rows = (await tx.connection.exec_driver_sql(explain + statement.text, statement.parameters)).all()
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
