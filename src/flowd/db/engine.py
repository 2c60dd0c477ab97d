"""Metastore: the connections to the database, and the transactions over them."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import CursorResult, Executable, TextClause, event, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from flowd.db.dialect import SQLITE_CLOCK, Dialect, Kind
from flowd.db.moments import from_db
from flowd.domain.errors import InvalidInput, MetastoreUnavailable

Result = TypeVar("Result")

CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0
"""Client-side deadline of one statement: a half-open socket must not hold a role for ever."""

IDLE_IN_TRANSACTION_SECONDS = 60
"""After which PostgreSQL ends a transaction whose node froze in the middle of it, and so frees its row locks."""

_DRIVERS = {
    "sqlite": ("sqlite+aiosqlite", Kind.SQLITE),
    "postgresql": ("postgresql+asyncpg", Kind.POSTGRESQL),
    "postgres": ("postgresql+asyncpg", Kind.POSTGRESQL),
    "mysql": ("mysql+asyncmy", Kind.MYSQL),
    "mariadb": ("mysql+asyncmy", Kind.MYSQL),
}

_TRANSIENT_PG = {
    "25006",  # read-only: a primary that became a replica
    "25P03",  # idle in a transaction for too long
    "40001",  # serialization failure
    "40P01",  # deadlock
    "55P03",  # lock timeout
    "57014",  # statement cancelled
    "57P01",  # terminated by an administrator
    "57P02",  # crashed
    "57P03",  # starting up
}
_TRANSIENT_PG_CLASSES = ("08", "53")  # connections; disk, memory and connections that ran out
_TRANSIENT_MYSQL = {1205, 1213, 1020, 2006, 2013}
_TRANSIENT_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


def normalise(url: str) -> tuple[URL, Kind]:
    """Return the URL with the asynchronous driver that flowd uses, and which database it names.

    Raises InvalidInput, without the password, for a URL that names none of SQLite, PostgreSQL, MySQL or MariaDB.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise InvalidInput(
            "the metastore's URL cannot be read; wanted sqlite:///PATH, postgresql://USER:PASSWORD@HOST/DATABASE"
            " or mysql://USER:PASSWORD@HOST/DATABASE"
        ) from error
    name = parsed.get_backend_name()
    if name not in _DRIVERS:
        raise InvalidInput(f"the metastore's URL names {name!r}; wanted sqlite, postgresql or mysql")
    driver, kind = _DRIVERS[name]
    parsed = parsed.set(drivername=driver)
    match kind:
        case Kind.SQLITE if not parsed.database or parsed.database == ":memory:":
            # Reader and writer are two connections: each would see a database of its own.
            raise InvalidInput("the metastore's URL names an SQLite database in memory; wanted a file, sqlite:///PATH")
        case Kind.POSTGRESQL if mode := parsed.query.get("sslmode"):
            # libpq's word, which every PostgreSQL URL uses; asyncpg calls it ssl.
            return parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode}), kind
        case _:
            return parsed, kind


class Transaction:
    """A connection inside one transaction, and how its database says things."""

    __slots__ = ("connection", "dialect")

    def __init__(self, connection: AsyncConnection, dialect: Dialect) -> None:
        self.connection = connection
        self.dialect = dialect

    async def execute(
        self, statement: str | Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run one statement, once, or once for each of a sequence of parameters."""
        executable = _parsed(statement) if isinstance(statement, str) else statement
        return await self.connection.execute(executable, parameters)

    async def now(self) -> datetime:
        """Return the metastore's clock: the only one that is compared across nodes."""
        if self.dialect.kind is Kind.SQLITE:
            return from_db(_microseconds())
        return from_db(int((await self.execute(f"SELECT {self.dialect.now}")).scalar_one()))


class Metastore:
    """The database of a node. `transaction` writes, `reading` reads; both give a connection for one `async with`."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url, kind = normalise(url)
        self.dialect = Dialect(kind)
        self.name = self.url.render_as_string(hide_password=True)
        if kind is Kind.SQLITE:
            _make_file(Path(str(self.url.database)), self.name)
        self._writer, self._reader = _engines(self.url, kind, pool_size)

    @property
    def is_embedded(self) -> bool:
        """True for SQLite, whose file only processes of this machine can share."""
        return self.dialect.kind is Kind.SQLITE

    @property
    def pooled_out(self) -> int:
        """How many connections are lent out now; tests assert that none is left."""
        pools = {engine.pool for engine in (self._writer, self._reader)}
        return sum(pool.checkedout() for pool in pools)  # type: ignore[attr-defined]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A write transaction: committed at the end of the context, rolled back by an exception.

        Raises MetastoreUnavailable where the database is away or the transaction lost against another one; either way
        nothing was written unless the connection broke during COMMIT itself.
        """
        async with _guarded(self._writer, self.name) as connection:
            async with connection.begin():
                yield Transaction(connection, self.dialect)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A read-only snapshot: every statement in it sees the same moment. It waits for no writer."""
        async with _guarded(self._reader, self.name) as connection:
            async with connection.begin():
                yield Transaction(connection, self.dialect)

    async def retrying(self, action: Callable[[], Awaitable[Result]], *, tries: int = 3) -> Result:
        """Return what `action` returns, called again where its transaction lost against another one."""
        for left in reversed(range(tries)):
            try:
                return await action()
            except MetastoreUnavailable:
                if not left:
                    raise
                await asyncio.sleep(0.05)
        raise AssertionError("unreachable: the last try returns or raises")

    async def close(self) -> None:
        """Close every pooled connection."""
        for engine in {self._writer, self._reader}:
            await engine.dispose()


@asynccontextmanager
async def _guarded(engine: AsyncEngine, name: str) -> AsyncIterator[AsyncConnection]:
    """A connection whose errors are translated, and which goes back to the pool whatever happens to its user."""
    try:
        connection = await engine.connect()
    except Exception as error:
        # Whatever keeps a driver from connecting: each raises errors of its own here, which SQLAlchemy does not wrap.
        raise _unavailable(name, error) from error
    try:
        yield connection
    except DBAPIError as error:
        if is_transient(error):
            raise _unavailable(name, error) from error
        raise
    except BrokenConnection as error:
        raise _unavailable(name, error) from error
    finally:
        # A statement that was cancelled has invalidated its connection already: it may still run on the server.
        await asyncio.shield(connection.close())


class BrokenConnection(Exception):
    """A statement met an error of the network, or no answer within its deadline."""


def is_transient(error: DBAPIError) -> bool:
    """True where the same transaction may succeed later: lost connections, deadlocks, lock waits, a busy file."""
    original: Any = error.orig
    sqlstate = str(getattr(original, "sqlstate", None) or "")
    sqlite_code = getattr(original, "sqlite_errorcode", None)
    arguments: tuple[Any, ...] = getattr(original, "args", ())
    return (
        error.connection_invalidated
        or sqlstate in _TRANSIENT_PG
        or sqlstate.startswith(_TRANSIENT_PG_CLASSES)
        or (sqlite_code is not None and sqlite_code & 0xFF in _TRANSIENT_SQLITE)
        or (bool(arguments) and arguments[0] in _TRANSIENT_MYSQL)
    )


def _unavailable(name: str, error: BaseException) -> MetastoreUnavailable:
    return MetastoreUnavailable(f"the metastore {name} did not answer: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    original = getattr(error, "orig", None) or (error.__cause__ if isinstance(error, BrokenConnection) else error)
    lines = str(original).strip().splitlines()
    return f"{type(original).__name__}: {lines[0] if lines else 'no details'}"


def _make_file(path: Path, name: str) -> None:
    """Make the file, its folders, and its write-ahead log. The driver leaves a thread behind where it fails to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=STATEMENT_SECONDS)) as connection:
            _use_write_ahead_log(connection)
    except (OSError, sqlite3.Error) as error:
        raise MetastoreUnavailable(f"the metastore {name} cannot be opened: {_first_line(error)}") from error


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


def _engines(url: URL, kind: Kind, pool_size: int) -> tuple[AsyncEngine, AsyncEngine]:
    match kind:
        case Kind.SQLITE:
            # SQLite lets one connection write at a time: more would only wait for each other.
            writer = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=STATEMENT_SECONDS)
            reader = create_async_engine(url, pool_size=4, max_overflow=0, pool_timeout=STATEMENT_SECONDS)
            _tune_sqlite(writer, "BEGIN IMMEDIATE", ())
            _tune_sqlite(reader, "BEGIN", ("query_only = ON",))
            return writer, reader
        case Kind.POSTGRESQL:
            engine = create_async_engine(
                url,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=STATEMENT_SECONDS,
                connect_args={
                    "timeout": CONNECT_SECONDS,
                    "command_timeout": STATEMENT_SECONDS,
                    "server_settings": {
                        "application_name": "flowd",
                        "jit": "off",
                        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_SECONDS * 1000),
                    },
                },
            )
            _mark_broken(engine)
            # The same pool: only the BEGIN differs.
            return engine, engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        case Kind.MYSQL:
            engine = create_async_engine(
                url,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=STATEMENT_SECONDS,
                pool_pre_ping=True,
                isolation_level="READ COMMITTED",
                connect_args={"connect_timeout": int(CONNECT_SECONDS)},
            )
            _mark_broken(engine)
            return engine, engine


def _mark_broken(engine: AsyncEngine) -> None:
    """Tell errors of the network from a caller's own OSError or TimeoutError, and never reuse their connection."""

    @event.listens_for(engine.sync_engine, "handle_error", retval=True)
    def failed(context: ExceptionContext) -> Exception | None:
        if not isinstance(context.original_exception, OSError):
            return None
        context.is_disconnect = True
        # Other connections may well be fine, as where one statement took too long.
        context.invalidate_pool_on_disconnect = not isinstance(context.original_exception, TimeoutError)
        return BrokenConnection()


def _tune_sqlite(engine: AsyncEngine, begin: str, more: Sequence[str]) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def connected(dbapi_connection: Any, _record: object) -> None:
        # The driver must not begin transactions of its own: BEGIN IMMEDIATE takes the write lock before the first read.
        dbapi_connection.isolation_level = None
        dbapi_connection.create_function(SQLITE_CLOCK, 0, _microseconds)
        cursor = dbapi_connection.cursor()
        for pragma in (
            f"busy_timeout = {int(STATEMENT_SECONDS * 1000)}",  # first: the next one may have to wait already
            "synchronous = FULL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -16000",
            *more,
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def began(connection: Any) -> None:
        connection.exec_driver_sql(begin)


@lru_cache(maxsize=1_000)
def _parsed(statement: str) -> TextClause:
    """Return the statement with its parameters found, once for each of the few texts there are."""
    return text(statement)


def _microseconds() -> int:
    return time.time_ns() // 1000
