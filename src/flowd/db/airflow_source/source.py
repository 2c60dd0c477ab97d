"""AirflowSource: a connection to Airflow's metastore that can only read."""

import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, RowMapping, Select, TableClause, column, func, inspect, null, select, table
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from flowd.db.airflow_source.tables import MORE, NEEDED, Tables, check
from flowd.db.dialect import Kind
from flowd.db.engine import CONNECT_SECONDS
from flowd.db.failures import first_line
from flowd.db.metastore_url import normalise
from flowd.domain.errors import FlowdError, InvalidInput, MetastoreUnavailable

STATEMENT_SECONDS = 300.0
"""How long an answer may take: Airflow's tables may be large, and nobody has tuned them for these questions."""


class AirflowSource:
    """What an Airflow metastore has. Every reading is one statement, of a moment of its own."""

    def __init__(self, name: str, connection: AsyncConnection, tables: Tables) -> None:
        self.name = name
        self._tables = tables
        self._clauses = {one: table(one, *map(column, sorted(columns))) for one, columns in tables.items()}
        self._connection = connection

    def check(self, wanted: Iterable[str]) -> None:
        """Raise InvalidInput where one of these tables is not as a known Airflow has it."""
        check(self._tables, wanted, self.name)

    def has(self, table_name: str, column_name: str) -> bool:
        """Return whether this version of Airflow has the column."""
        return column_name in self._tables.get(table_name, ())

    def table(self, table_name: str) -> TableClause:
        """Return the table, with the columns that it has in this version."""
        return self._clauses[table_name]

    def columns(self, table_name: str, *names: str) -> list[ColumnElement[Any]]:
        """Return these columns of the table; one that this version has not is NULL under its name."""
        of_table = self._clauses[table_name].c
        return [of_table[name] if name in of_table else null().label(name) for name in names]

    async def rows(self, statement: Select[Any]) -> Sequence[RowMapping]:
        """Return what the statement finds; raise MetastoreUnavailable where the database is away."""
        try:
            found: Sequence[RowMapping] = (await self._connection.execute(statement)).mappings().all()
            await self._connection.rollback()  # a transaction left open would hold up the vacuum of Airflow's tables
            return found
        except (DBAPIError, OSError) as error:
            raise _unavailable(self.name, error) from error

    async def count(self, table_name: str) -> int:
        """Return how many rows the table has."""
        (row,) = await self.rows(select(func.count().label("number")).select_from(self._clauses[table_name]))
        return int(row["number"])


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AirflowSource]:
    """The source at `url`, as Airflow's `sql_alchemy_conn` has it; closed at the end.

    Raises InvalidInput for a URL that names no database, and MetastoreUnavailable for one that does not answer.
    """
    try:
        normal, kind = normalise(url)
    except InvalidInput as error:
        raise InvalidInput(f"--from: {error}") from error
    name = normal.set(drivername=normal.get_backend_name()).render_as_string(hide_password=True)
    engine = _engine(normal, kind)
    try:
        try:
            connection = await engine.connect()
        except FlowdError:
            raise
        except Exception as error:
            # Whatever keeps a driver from connecting: each raises errors of its own here, which SQLAlchemy wraps not.
            raise _unavailable(name, error) from error
        try:
            try:
                tables = await connection.run_sync(_tables)
                await connection.rollback()
            except (DBAPIError, OSError) as error:
                raise _unavailable(name, error) from error
            yield AirflowSource(name, connection, tables)
        finally:
            await connection.close()
    finally:
        await engine.dispose()


def _engine(url: URL, kind: Kind) -> AsyncEngine:
    match kind:
        case Kind.SQLITE:
            path = Path(str(url.database))
            if not path.is_file():
                raise InvalidInput(f"--from: {path} is no file; wanted Airflow's database, as sqlite:////PATH")
            # Not as a metastore of flowd: that would be made, and switched to a write-ahead log.
            read_only = URL.create(
                "sqlite+aiosqlite",
                database=f"file:{quote(os.fspath(path.absolute()))}",
                query={"mode": "ro", "uri": "true"},
            )
            return _made(read_only, isolation_level="AUTOCOMMIT")
        case Kind.POSTGRESQL:
            return _made(
                url,
                connect_args={"timeout": CONNECT_SECONDS, "command_timeout": STATEMENT_SECONDS},
                # Not a setting of the session: a connection pooler in front of Airflow's database may refuse that.
                execution_options={"postgresql_readonly": True},
            )
        case Kind.MYSQL:
            return _made(url, isolation_level="AUTOCOMMIT", async_creator=lambda: _mysql(url))


def _made(url: URL, **options: Any) -> AsyncEngine:
    return create_async_engine(url, poolclass=NullPool, pool_reset_on_return=None, hide_parameters=True, **options)


async def _mysql(url: URL) -> Any:
    from flowd.db import mysql_connection  # asyncmy is an extra of the package

    connection = await mysql_connection.connect(
        url,
        connect_seconds=CONNECT_SECONDS,
        statement_seconds=STATEMENT_SECONDS,
        idle_seconds=int(STATEMENT_SECONDS),
    )
    async with connection.cursor() as cursor:
        await cursor.execute("SET SESSION TRANSACTION READ ONLY")
    return connection


def _tables(connection: Connection) -> Tables:
    there = set(inspect(connection).get_table_names())
    return {
        # Not the inspector's columns: it would have to know the type of each.
        name: frozenset(connection.exec_driver_sql(f"SELECT * FROM {_quoted(connection, name)} WHERE 1 = 0").keys())
        for name in (*NEEDED, *MORE)
        if name in there
    }


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)


def _unavailable(name: str, error: Exception) -> MetastoreUnavailable:
    return MetastoreUnavailable(f"Airflow's metastore {name} did not answer: {first_line(error)}")
