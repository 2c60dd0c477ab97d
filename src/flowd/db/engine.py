"""How connections to each kind of database are opened and tuned, and how many there may be."""

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from flowd.db.dialect import SQLITE_CLOCK, Kind
from flowd.db.failures import BrokenConnection, first_line
from flowd.db.moments import microseconds_now
from flowd.domain.errors import MetastoreUnavailable

CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0
"""Client-side deadline of one statement: a half-open socket must not hold a role for ever."""

IDLE_IN_TRANSACTION_SECONDS = 60
"""After which a server ends a transaction whose node froze in the middle of it, and so frees its row locks."""

SQLITE_READERS = 4

BY_INDEX = {
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""How PostgreSQL plans text statements: by the indexes that they were written for, and once for all parameters.

By itself it reads a table of some thousand rows as a whole, or an index of it, rather than look up each of a few: every
statement of a task then costs as much as its run is large.
"""

BY_STATISTICS = {
    "enable_seqscan": "on",
    "enable_mergejoin": "on",
    # Not "auto": its plan would stay with the connection, and a text statement would be run by it afterwards.
    "plan_cache_mode": "force_custom_plan",
}
"""How it plans SQLAlchemy's: lists and searches, by conditions and orders that people choose."""

_CACHED_STATEMENTS = 512


def most_connections(kind: Kind, pool_size: int) -> tuple[int, int]:
    """Return how many connections writers may hold, and how many readers."""
    # SQLite lets one connection write at a time: more would only wait for each other.
    return (1, SQLITE_READERS) if kind is Kind.SQLITE else (pool_size, pool_size)


def engines(url: URL, kind: Kind) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine for writers and the one for readers, which may be the same.

    They pool nothing (flowd.db.connections does), and their connections begin no transaction: flowd.db.driver does.
    Raises MetastoreUnavailable for an SQLite file that cannot be made.
    """
    match kind:
        case Kind.SQLITE:
            _make_file(Path(str(url.database)), url.render_as_string(hide_password=True))
            return _sqlite(url, ()), _sqlite(url, ("query_only = ON",))
        case Kind.POSTGRESQL:
            engine = _server(
                url,
                isolation_level="AUTOCOMMIT",  # of SQLAlchemy's adapter, which would begin by itself
                connect_args={
                    "timeout": CONNECT_SECONDS,
                    "command_timeout": STATEMENT_SECONDS,
                    "server_settings": {
                        "application_name": "flowd",
                        "jit": "off",
                        **BY_INDEX,
                        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_SECONDS * 1000),
                    },
                },
            )
            return engine, engine
        case Kind.MYSQL:
            engine = _server(
                url,
                isolation_level="AUTOCOMMIT",  # as above
                async_creator=lambda: connect_mysql(url),
            )
            return engine, engine


async def connect_mysql(url: URL) -> Any:
    """Return a connection to MySQL or MariaDB."""
    from flowd.db import mysql_connection  # asyncmy is an extra of the package

    return await mysql_connection.connect(
        url,
        connect_seconds=CONNECT_SECONDS,
        statement_seconds=STATEMENT_SECONDS,
        idle_seconds=IDLE_IN_TRANSACTION_SECONDS,
    )


def _server(url: URL, **options: Any) -> AsyncEngine:
    # Nothing to reset: idle ones are clean, and a rollback on one that the server closed is an error in the log.
    engine = create_async_engine(url, poolclass=NullPool, pool_reset_on_return=None, hide_parameters=True, **options)
    _mark_broken(engine)
    return engine


def _mark_broken(engine: AsyncEngine) -> None:
    """Tell errors of the network from a caller's own OSError or TimeoutError, and never reuse their connection."""

    @event.listens_for(engine.sync_engine, "handle_error", retval=True)
    def failed(context: ExceptionContext) -> Exception | None:
        if not isinstance(context.original_exception, OSError):
            return None
        context.is_disconnect = True
        return BrokenConnection()


def _sqlite(url: URL, pragmas: Sequence[str]) -> AsyncEngine:
    # Brief transactions run in the event loop's thread, others in the connection's own; never in both at a time.
    options = {"cached_statements": _CACHED_STATEMENTS, "check_same_thread": False}
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=options)

    @event.listens_for(engine.sync_engine, "connect")
    def connected(dbapi_connection: Any, _record: object) -> None:
        # The driver must not begin transactions of its own.
        dbapi_connection.isolation_level = None
        dbapi_connection.create_function(SQLITE_CLOCK, 0, microseconds_now)
        cursor = dbapi_connection.cursor()
        for pragma in (
            f"busy_timeout = {int(STATEMENT_SECONDS * 1000)}",  # first: the next one may have to wait already
            "synchronous = FULL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -16000",
            *pragmas,
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _make_file(path: Path, name: str) -> None:
    """Make the file, its folders, and its write-ahead log. The driver leaves a thread behind where it fails to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # It holds password hashes: nobody else on this machine may read it, nor the log beside it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with closing(sqlite3.connect(path, timeout=STATEMENT_SECONDS)) as connection:
            _use_write_ahead_log(connection)
    except (OSError, sqlite3.Error) as error:
        raise MetastoreUnavailable(f"the metastore {name} cannot be opened: {first_line(error)}") from error


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL, which it then stays in.

    Where several processes begin at once, SQLite refuses all but one of them without waiting for its busy timeout.
    """
    deadline = time.monotonic() + STATEMENT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
