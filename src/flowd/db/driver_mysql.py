"""MySQL and MariaDB through asyncmy: text protocol, each statement one round trip.

Nothing is prepared: the values of IN lists stand in the text, where MariaDB's optimizer can use them.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from asyncmy import errors
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, ProgrammingError

from flowd.db.dialect import LISTED, Kind
from flowd.db.driver import Driver
from flowd.db.failures import sqlstate_of
from flowd.db.rows import Row, Rows
from flowd.db.statement import compiled
from flowd.domain.errors import InvalidInput

ABANDON_SECONDS = 2.0
"""How long the server is asked to give up a statement that nobody waits for any more."""

LARGEST = "flowd largest packet"
"""Where `info` remembers the bytes of the longest statement that the server takes."""

_PACKET_HEADROOM = 1024
_ANY_SERVER_TAKES_BYTES = 1024 * 1024
_BYTES_PER_CHARACTER = 4  # at the most
_NOTHING = {"int": -(2**63), "text": "\0"}
"""What stands for an empty list, which MySQL cannot write: a value that no row has."""

_ERRORS: tuple[tuple[type[Exception], type[DBAPIError]], ...] = (
    (errors.IntegrityError, IntegrityError),
    (errors.ProgrammingError, ProgrammingError),
    (errors.DataError, DataError),
    (errors.OperationalError, OperationalError),
)

Answer = TypeVar("Answer")


class MysqlDriver(Driver):
    """A transaction on a connection of asyncmy, which is in autocommit mode between two of them.

    `info` lives as long as the connection. asyncmy closes a connection whose answer was cancelled or came too late; the
    server would go on with the statement, and is told over another one, from `connect`, to end it.
    """

    goes_on_alone = True

    def __init__(
        self, connection: Any, info: MutableMapping[Any, Any], *, connect: Callable[[], Awaitable[Any]]
    ) -> None:
        super().__init__()
        self._connection = connection
        self._info = info
        self._connect = connect

    @property
    def is_alive(self) -> bool:
        """False once the server has closed the connection."""
        # asyncmy has no public name for it: `connected` says only what this side did.
        return not self._connection._stream_broken

    async def execute(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        ready = compiled(Kind.MYSQL, statement)
        values = tuple(self._literal(name, parameters) for name in ready.names)
        sql = ready.sql % values
        if len(sql) * _BYTES_PER_CHARACTER + _PACKET_HEADROOM > _ANY_SERVER_TAKES_BYTES:
            await self._expect_room(sql)
        return await self._answer(self._run(sql), ready.sql)  # an error tells none of the values

    async def abandon(self) -> None:
        if self.is_open:
            with suppress(OSError, TimeoutError, errors.MySQLError):
                async with asyncio.timeout(ABANDON_SECONDS):
                    await self._kill()
        self._connection.close()
        await super().abandon()

    async def _kill(self) -> None:
        other = await self._connect()
        try:
            await other.query(f"KILL {self._connection.thread_id()}")
        finally:
            await other.ensure_closed()

    async def _begin(self, *, is_reading: bool, is_brief: bool) -> None:
        await self._say(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY"
            if is_reading
            else "START TRANSACTION"
        )

    async def _commit(self) -> None:
        await self._say("COMMIT")

    async def _rollback(self) -> None:
        await self._say("ROLLBACK")

    async def _say(self, sql: str) -> None:
        await self._answer(self._run(sql), sql)

    def _literal(self, name: str, parameters: Mapping[str, Any]) -> str:
        if name.startswith(LISTED):
            type_, _, parameter = name.removeprefix(LISTED).partition("_")
            items = json.loads(parameters[parameter]) or [_NOTHING[type_]]
            return f"({', '.join(map(self._connection.literal, items))})"
        literal: str = self._connection.literal(parameters[name])
        return literal

    async def _run(self, sql: str) -> Rows:
        cursor = self._connection.cursor()
        await cursor.execute(sql)
        values = list(await cursor.fetchall()) if cursor.description else []
        names = [column[0] for column in cursor.description or ()]
        count = cursor.rowcount
        while await cursor.nextset():
            pass
        return Rows(values, _Named(names, values), count)

    async def _expect_room(self, sql: str) -> None:
        """Raise InvalidInput for a statement that the server would answer by closing the connection."""
        if LARGEST not in self._info:
            found = await self._answer(self._run("SELECT @@max_allowed_packet"), "SELECT @@max_allowed_packet")
            self._info[LARGEST] = int(found.scalar_one())
        largest, size = self._info[LARGEST], len(sql.encode(errors="surrogateescape")) + _PACKET_HEADROOM
        if size > largest:
            raise InvalidInput(
                f"a value is too large for the metastore: its statement has {size:,} bytes, and the server takes"
                f" {largest:,}; set max_allowed_packet of the server higher, or make the value smaller"
            )

    async def _answer(self, call: Awaitable[Answer], sql: str) -> Answer:
        self.is_answered = False
        try:
            answer = await call
        except errors.MySQLError as error:
            self.is_answered = self.is_alive
            raise _translated(error, sql, is_lost=not self.is_answered) from error
        self.is_answered = True
        return answer


class _Named(Sequence[Row]):
    """Rows by the names of their columns, each made when it is asked for."""

    def __init__(self, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self._names = names
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return dict(zip(self._names, self._rows[index], strict=True))


def _translated(error: Exception, sql: str, *, is_lost: bool) -> DBAPIError:
    kind = next((theirs for ours, theirs in _ERRORS if isinstance(error, ours)), DBAPIError)
    if sqlstate_of(error).startswith("23"):  # asyncmy takes a failed CHECK for an operational error
        kind = IntegrityError
    return kind(sql, (), error, connection_invalidated=is_lost)
