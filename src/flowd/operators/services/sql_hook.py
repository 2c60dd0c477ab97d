"""DbApiHook: an SQL database over whichever DB-API driver is installed for the type of its connection."""

import importlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from flowd.operators.services.sql_text import split_statements
from flowd.sdk.connection import Connection
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.hook import BaseHook

_DRIVERS: Mapping[str, Sequence[str]] = {
    "postgres": ("psycopg", "psycopg2"),
    "mysql": ("pymysql", "MySQLdb", "mysql.connector"),
}
"""By the type of a connection: the drivers that can speak to it, the first that is installed is taken."""

_DATABASE_KEYWORD = {"MySQLdb": "db", "psycopg": "dbname", "psycopg2": "dbname"}

Handler = Callable[[Any], Any]


def fetch_all_handler(cursor: Any) -> list[Any] | None:
    """Return every row of the result, None where the statement has none."""
    return list(cursor.fetchall()) if cursor.description is not None else None


def fetch_one_handler(cursor: Any) -> Any:
    """Return the first row of the result, None where there is none."""
    return cursor.fetchone() if cursor.description is not None else None


class DbApiHook(BaseHook):
    """Runs SQL over a connection of type sqlite, postgres or mysql. A subclass with its own `get_conn` needs no driver.

    `schema`, or `database`, takes the place of the connection's.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "sql_default"

    def __init__(self, *args: Any, schema: str | None = None, database: str | None = None, **kwargs: Any) -> None:
        super().__init__()
        given = kwargs.pop(self.conn_name_attr, None) or kwargs.pop("conn_id", None)
        self.conn_id: str = given or (args[0] if args else self.default_conn_name)
        setattr(self, self.conn_name_attr, self.conn_id)
        self.schema = schema or database

    def get_conn(self) -> Any:
        """Return a new DB-API connection; raise AirflowException where no driver for it is installed."""
        connection = self.get_connection(self.conn_id)
        if connection.conn_type == "sqlite":
            return sqlite3.connect(**_sqlite_arguments(connection))
        drivers = _DRIVERS.get(connection.conn_type or "")
        if drivers is None:
            raise AirflowException(
                f"connection {self.conn_id!r} is of type {connection.conn_type!r}; flowd speaks SQL over "
                f"{', '.join(('sqlite', *_DRIVERS))}; for others install the provider package beside flowd"
            )
        for name in drivers:
            with suppress(ModuleNotFoundError):
                return importlib.import_module(name).connect(**self._arguments(connection, name))
        raise AirflowException(
            f"connection {self.conn_id!r} is of type {connection.conn_type!r}, and no driver for it is installed on "
            f"this worker; install one of {', '.join(drivers)}"
        )

    def run(
        self,
        sql: str | Iterable[str],
        autocommit: bool = False,
        parameters: Any = None,
        handler: Handler | None = None,
        split_statements: bool = False,
        return_last: bool = True,
    ) -> Any:
        """Run the statements, in one transaction unless `autocommit`, and return what `handler` makes of their results.

        With `return_last` and a single text it is the last result, else a list. Without a handler nothing is returned.
        """
        texts = _statements(sql, is_split=split_statements)
        if not texts:
            raise AirflowException("there is no SQL statement to run")
        results: list[Any] = []
        with closing(self.get_conn()) as connection:
            self.set_autocommit(connection, autocommit)
            with closing(connection.cursor()) as cursor:
                for text in texts:
                    self.log.info("running: %s%s", text, "" if parameters is None else f" with {parameters!r}")
                    cursor.execute(text, parameters) if parameters is not None else cursor.execute(text)
                    if handler is not None:
                        results.append(handler(cursor))
            if not autocommit:
                connection.commit()
        if handler is None:
            return None
        return results[-1] if return_last and (isinstance(sql, str) or len(results) == 1) else results

    def get_records(self, sql: str | Iterable[str], parameters: Any = None) -> Any:
        """Return every row."""
        return self.run(sql, parameters=parameters, handler=fetch_all_handler)

    def get_first(self, sql: str | Iterable[str], parameters: Any = None) -> Any:
        """Return the first row, None where there is none."""
        return self.run(sql, parameters=parameters, handler=fetch_one_handler)

    def insert_rows(
        self,
        table: str,
        rows: Iterable[Sequence[Any]],
        target_fields: Sequence[str] | None = None,
        commit_every: int = 1000,
        replace: bool = False,
        **_: Any,
    ) -> None:
        """Insert the rows, and commit after every `commit_every` of them, 0 for only at the end."""
        names = f" ({', '.join(target_fields)})" if target_fields else ""
        with closing(self.get_conn()) as connection, closing(connection.cursor()) as cursor:
            count = 0
            for count, row in enumerate(rows, start=1):
                marks = ", ".join([self._mark(connection)] * len(row))
                cursor.execute(f"{'REPLACE' if replace else 'INSERT'} INTO {table}{names} VALUES ({marks})", tuple(row))
                if commit_every and count % commit_every == 0:
                    connection.commit()
            connection.commit()
        self.log.info("%d rows inserted into %s", count, table)

    def set_autocommit(self, connection: Any, is_on: bool) -> None:
        """Let every statement be a transaction of its own, or not."""
        if isinstance(connection, sqlite3.Connection):
            connection.isolation_level = None if is_on else "DEFERRED"
        elif callable(connection.autocommit):
            connection.autocommit(is_on)
        else:
            connection.autocommit = is_on

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the database answers, and what it said."""
        try:
            self.get_first("SELECT 1")
        except Exception as error:
            return False, str(error)
        return True, "the database answered"

    def _arguments(self, connection: Connection, driver: str) -> dict[str, Any]:
        database = self.schema or connection.schema
        arguments = {
            "host": connection.host or "localhost",
            "port": connection.port,
            "user": connection.login,
            "password": connection.password,
            _DATABASE_KEYWORD.get(driver, "database"): database,
            **{name: value for name, value in connection.extra_dejson.items() if not isinstance(value, (dict, list))},
        }
        return {name: value for name, value in arguments.items() if value is not None}

    def _mark(self, connection: Any) -> str:
        return "?" if isinstance(connection, sqlite3.Connection) else "%s"


class SqliteHook(DbApiHook):
    """A file of SQLite: the host of the connection."""

    conn_name_attr = "sqlite_conn_id"
    default_conn_name = "sqlite_default"

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the file is a database that can be read; one that is not there is not made."""
        try:
            path = _sqlite_arguments(self.get_connection(self.conn_id))["database"]
            uri = path if path.startswith("file:") else Path(path).absolute().as_uri() + "?mode=ro"
            with closing(sqlite3.connect(uri, uri=True)) as database:
                database.execute("SELECT COUNT(*) FROM sqlite_master")
        except (AirflowException, sqlite3.Error) as error:
            return False, str(error)
        return True, "the file is a database"


class PostgresHook(DbApiHook):
    """PostgreSQL, over psycopg or psycopg2."""

    conn_name_attr = "postgres_conn_id"
    default_conn_name = "postgres_default"


class MySqlHook(DbApiHook):
    """MySQL or MariaDB, over pymysql, mysqlclient or MySQL's own driver."""

    conn_name_attr = "mysql_conn_id"
    default_conn_name = "mysql_default"


def _statements(sql: str | Iterable[str], *, is_split: bool) -> list[str]:
    texts = [sql] if isinstance(sql, str) else list(sql)
    if is_split:
        texts = [statement for text in texts for statement in split_statements(text)]
    return [text for text in texts if text.strip()]


def _sqlite_arguments(connection: Connection) -> dict[str, Any]:
    """Return where the file is: the host is its path, as Airflow's hook has it, or a URI of SQLite's own."""
    path = connection.host or ""
    if connection.schema:
        # sqlite:///tmp/x.db has no host, and its path is read as the schema.
        path = f"{path}/{connection.schema}" if path else f"/{connection.schema}"
    if not path:
        raise AirflowException(f"connection {connection.conn_id!r} names no file; give its path as the host")
    return {"database": path, "uri": path.startswith("file:")}
