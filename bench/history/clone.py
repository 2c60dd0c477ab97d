"""clone_runs: many finished runs out of one, set-based: each with all that hangs on it, and each in its own past.

What a finished run leaves behind is read from the schema: every table with a key to a run or to a task instance is
copied, so that a million tasks have as many tries, transitions and XComs as a real million would.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Column, Insert, Integer, String, Table, cast, insert, literal, null, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from flowd.db.columns import MOMENT
from flowd.db.metastore_url import normalise
from flowd.db.tables import dag_run, metadata, task_instance

RUNS_PER_TRANSACTION = 500
SPACING = 60_000_000
"""Microseconds between one copy and the next."""

_NAME = "history-"
_UNIQUE = {"logical_date", "idempotency_key"}
"""Columns of a run that no two runs of a DAG share, but in which all may have NULL."""


def clone_runs(url: str, dag_id: str, *, copies: int) -> None:
    """Copy the DAG's youngest successful run so many times, into the past of the metastore at `url`.

    Nothing may be running on it meanwhile. At the end the planner's statistics are as they are on a server that has
    long had these rows.
    """
    asyncio.run(_clone_runs(url, dag_id, copies))


async def _clone_runs(url: str, dag_id: str, copies: int) -> None:
    engine = create_async_engine(normalise(url)[0])
    try:
        async with engine.connect() as connection:
            model = await _model(connection, dag_id)
        for first in range(1, copies + 1, RUNS_PER_TRANSACTION):
            numbers = range(first, min(first + RUNS_PER_TRANSACTION, copies + 1))
            async with engine.begin() as connection:
                for statement in _copies(model, numbers):
                    await connection.execute(statement)
        await settle(engine)
    finally:
        await engine.dispose()


async def _model(connection: AsyncConnection, dag_id: str) -> int:
    youngest = (
        select(dag_run.c.id)
        .where(dag_run.c.dag_id == dag_id, dag_run.c.state == "success", dag_run.c.run_id.not_like(f"{_NAME}%"))
        .order_by(dag_run.c.id.desc())
        .limit(1)
    )
    found = (await connection.execute(youngest)).scalar()
    if found is None:
        raise RuntimeError(f"the DAG {dag_id} has no successful run to make a history of; run it first")
    return int(found)


def _copies(model: int, numbers: range) -> Iterator[Insert]:
    """Give a statement for each table, those first that others point to."""
    yield _runs(model, numbers)
    old_run, new_run = dag_run.alias("old_run"), dag_run.alias("new_run")
    both_runs = old_run.join(
        new_run,
        (old_run.c.id == model)
        & (new_run.c.dag_id == old_run.c.dag_id)
        & new_run.c.run_id.in_([f"{_NAME}{number}" for number in numbers]),
    )
    back = new_run.c.run_after - old_run.c.run_after
    for table in metadata.sorted_tables:
        if key := _key_to(table, dag_run):
            old = table.alias("old")
            joined = both_runs.join(old, old.c[key] == old_run.c.id)
            yield _copy(table, old, joined, back, {key: new_run.c.id})
        elif key := _key_to(table, task_instance):
            old, old_task, new_task = (
                table.alias("old"),
                task_instance.alias("old_task"),
                task_instance.alias("new_task"),
            )
            joined = (
                both_runs.join(old_task, old_task.c.run == old_run.c.id)
                .join(
                    new_task,
                    (new_task.c.run == new_run.c.id)
                    & (new_task.c.task_id == old_task.c.task_id)
                    & (new_task.c.map_index == old_task.c.map_index),
                )
                .join(old, old.c[key] == old_task.c.id)
            )
            yield _copy(table, old, joined, back, {key: new_task.c.id})


def _runs(model: int, numbers: range) -> Insert:
    old = dag_run.alias("old")
    count = select(literal(numbers.start, Integer).label("number")).cte("numbers", recursive=True)
    count = count.union_all(select(count.c.number + 1).where(count.c.number < numbers.stop - 1))
    # Joined with nothing but the model: as many rows as there are numbers.
    joined = old.join(count, old.c.id == model)
    name = literal(_NAME) + cast(count.c.number, String(20))
    unique: dict[str, ColumnElement[Any]] = {column: null() for column in _UNIQUE}
    return _copy(dag_run, old, joined, -SPACING * count.c.number, {"run_id": name, **unique})


def _copy(
    table: Table,
    old: FromClause,
    joined: FromClause,
    back: ColumnElement[int],
    given: Mapping[str, ColumnElement[Any]],
) -> Insert:
    """Copy the rows that `joined` has of `old`; moments are moved by `back`, and columns in `given` replaced."""
    columns = [column for column in table.columns if not _is_generated(column)]
    values = []
    for column in columns:
        if column.name in given:
            values.append(given[column.name])
        else:
            values.append(old.c[column.name] + back if column.type is MOMENT else old.c[column.name])
    rows = select(*values).select_from(joined)
    return insert(table).from_select([column.name for column in columns], rows, include_defaults=False)


def _key_to(table: Table, owner: Table) -> str | None:
    """Return the column that points to the owner with ON DELETE CASCADE: what hangs on it, and goes with it."""
    for column in table.columns:
        for key in column.foreign_keys:
            if key.column.table is owner and key.ondelete == "CASCADE":
                return column.name
    return None


def _is_generated(column: Column[object]) -> bool:
    return column.computed is not None or column is column.table.autoincrement_column


async def settle(engine: AsyncEngine) -> None:
    """Do what a server does by itself in time: PostgreSQL's autovacuum, InnoDB's statistics. SQLite does nothing."""
    match engine.dialect.name:
        case "postgresql":
            async with engine.connect() as connection:
                outside = await connection.execution_options(isolation_level="AUTOCOMMIT")
                await outside.execute(text("VACUUM ANALYZE"))
        case "mysql" | "mariadb":
            names = ", ".join(table.name for table in metadata.sorted_tables)
            async with engine.begin() as connection:
                await connection.execute(text(f"ANALYZE TABLE {names}"))
        case _:
            pass
