"""Connections to MySQL and MariaDB: opened as their URL says, tuned alike, and none to a server that is too old."""

import asyncio
import re
from typing import Any

from asyncmy import errors
from asyncmy.connection import Connection
from asyncmy.constants import CLIENT, CR
from sqlalchemy.engine import URL

from flowd.db.mysql_options import options_of, tls_of
from flowd.domain.errors import InvalidSettings

OLDEST_MARIADB = (10, 6)
"""The first that skips locked rows, without which two schedulers would wait for each other, and reads JSON tables."""

OLDEST_MYSQL = (8, 0, 17)
"""The first with a binary collation that does not pass over spaces at the end; SKIP LOCKED and CHECK are older."""

GOODBYE_SECONDS = 1.0
"""How long a server may take to hear that a connection is closed."""

# The comments are read by one of the two alone: /*M! by MariaDB, /*! with a number from 50700 on by MySQL.
_TUNE = """SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY,PIPES_AS_CONCAT',
 /*M! in_predicate_conversion_threshold = 0, idle_transaction_timeout = {idle}, max_statement_time = {statement}, */
 /*!80000 wait_timeout = {idle}, */
 time_zone = '+00:00', max_error_count = 0, innodb_lock_wait_timeout = {lock};
 SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"""


async def connect(url: URL, *, connect_seconds: float, statement_seconds: float, idle_seconds: int) -> Any:
    """Return a connection in autocommit mode; raise InvalidSettings for a server that is too old.

    No connection is awaited for longer than `connect_seconds`, and no answer for longer than `statement_seconds`. Where
    a node falls silent in the middle of a transaction for `idle_seconds`, the server ends it, and so frees its row
    locks.
    """
    try:
        async with asyncio.timeout(connect_seconds):  # its own deadline ends before the server has said a word
            connection = await _greeted(url, connect_seconds=connect_seconds, statement_seconds=statement_seconds)
    except TimeoutError as error:
        raise errors.OperationalError(
            CR.CR_CONN_HOST_ERROR,
            f"no answer of a MySQL or MariaDB server within {connect_seconds:g} seconds: is it one that listens there?",
        ) from error
    try:
        expect_able(connection.server_version)
        # A lock is given up before the deadline; a statement that nobody waits for any more, some time after it.
        lock, statement = max(1, int(statement_seconds * 2 / 3)), 2 * statement_seconds
        async with connection.cursor() as cursor:
            await cursor.execute(_TUNE.format(idle=idle_seconds, lock=lock, statement=statement))
    except Exception:
        await connection.ensure_closed()
        raise
    return connection


async def _greeted(url: URL, *, connect_seconds: float, statement_seconds: float) -> Any:
    options = options_of(url)
    connection: Any = _Connection(  # type: ignore[no-untyped-call]
        host=url.host or "localhost",
        port=url.port or 3306,
        unix_socket=options.get("unix-socket"),
        user=url.username,
        password=(url.password or "").encode(),  # asyncmy itself would make Latin-1 of it
        database=url.database,
        charset="utf8mb4",
        autocommit=True,
        # A compare-and-set counts the rows it finds, also where it writes what they hold already.
        client_flag=CLIENT.FOUND_ROWS,
        ssl=tls_of(url),
        connect_timeout=connect_seconds,
    )
    connection.answer_seconds = statement_seconds
    await connection.connect()
    return connection


class _Connection(Connection):
    """`answer_seconds` is how long an answer may take."""

    _transport: asyncio.Transport | None
    answer_seconds: float

    async def _fill_buffer(self, need: int) -> None:
        """Wait for an answer, and no longer than it may take.

        asyncmy's own `read_timeout` makes a task of each wait, and drops a cancellation that comes with the answer.
        """
        try:
            async with asyncio.timeout(self.answer_seconds):
                await super()._fill_buffer(need)  # type: ignore[misc]  # its stubs leave it out
        except TimeoutError as error:
            raise errors.OperationalError(
                CR.CR_SERVER_LOST, f"no answer within {self.answer_seconds:g} seconds (read timeout)"
            ) from error

    async def ensure_closed(self) -> None:
        """Say goodbye; drop the socket of a server that takes no word any more.

        asyncmy would wait until it has taken the rest of a statement, and so make an answer's deadline none.
        """
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await super().ensure_closed()
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()
            self.close()


def expect_able(version: str) -> None:
    """Raise InvalidSettings where a server of this version cannot hold a metastore."""
    name, oldest = ("MariaDB", OLDEST_MARIADB) if "mariadb" in version.lower() else ("MySQL", OLDEST_MYSQL)
    # MariaDB puts a 5.5.5- before its own for the sake of old replicas.
    found = tuple(map(int, re.findall(r"\d+", version.removeprefix("5.5.5-"))[:3]))
    if found < oldest:
        raise InvalidSettings(
            f"the metastore is {name} {'.'.join(map(str, found))}; wanted {'.'.join(map(str, oldest))} or newer:"
            " upgrade the server, or set FLOWD__DATABASE__URL to another"
        )
