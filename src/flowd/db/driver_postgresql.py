"""PostgreSQL through asyncpg: each statement is prepared once for a connection, and run in one round trip."""

from collections.abc import Awaitable, Mapping, MutableMapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InvalidRequestError, ProgrammingError

from flowd.db.dialect import Kind
from flowd.db.driver import Driver
from flowd.db.failures import BrokenConnection, sqlstate_of
from flowd.db.rows import Rows
from flowd.db.statement import compiled

MOST_PREPARED = 512
"""Statements that one connection keeps prepared; beyond it, the oldest gives way."""

_PREPARED = "flowd prepared"
_ERRORS = {"22": DataError, "23": IntegrityError, "42": ProgrammingError}  # by class of SQLSTATE

Answer = TypeVar("Answer")


class PostgresqlDriver(Driver):
    """A transaction on a connection of asyncpg. `info` lives as long as the connection: what is prepared stands there.

    asyncpg itself asks the server to cancel a statement that is cancelled here or runs into its deadline.
    """

    def __init__(self, connection: Any, info: MutableMapping[Any, Any]) -> None:
        super().__init__()
        self._connection = connection
        self._prepared: dict[str, Any] = info.setdefault(_PREPARED, {})

    async def execute(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        ready = compiled(Kind.POSTGRESQL, statement)
        arguments = ready.arguments(parameters)
        return await self._answer(self._run(ready.sql, arguments), ready.sql, arguments)

    async def _begin(self, *, is_reading: bool) -> None:
        await self._say("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if is_reading else "BEGIN")

    async def _commit(self) -> None:
        if await self._say("COMMIT") != "COMMIT":
            # The server's word for it is ROLLBACK, and no error.
            self.is_open = False
            raise InvalidRequestError(
                "nothing was written: a statement of the transaction had failed before, and its error was passed over"
            )

    async def _rollback(self) -> None:
        await self._say("ROLLBACK")

    async def _say(self, sql: str) -> str:
        status: str = await self._answer(self._connection.execute(sql), sql, ())
        return status

    async def _run(self, sql: str, arguments: Sequence[Any]) -> Rows:
        prepared = self._prepared.get(sql)
        if prepared is None:
            if len(self._prepared) >= MOST_PREPARED:
                del self._prepared[next(iter(self._prepared))]
            prepared = self._prepared[sql] = await self._connection.prepare(sql)
        rows = await prepared.fetch(*arguments)
        return Rows(rows, rows, _count(prepared.get_statusmsg()))

    async def _answer(self, call: Awaitable[Answer], sql: str, arguments: Sequence[Any]) -> Answer:
        self.is_answered = False
        try:
            answer = await call
        except OSError as error:  # TimeoutError is one: the deadline that the connection was opened with
            raise BrokenConnection from error
        except Exception as error:
            if _is_stale(error):
                raise BrokenConnection from error
            self.is_answered = not self._connection.is_closed()
            raise _translated(error, sql, arguments, is_lost=not self.is_answered) from error
        self.is_answered = True
        return answer


def _count(status: str) -> int:
    """Return the number at the end of "UPDATE 5" or "INSERT 0 5", -1 where there is none."""
    number = status.rpartition(" ")[2]
    return int(number) if number.isdecimal() else -1


def _is_stale(error: Any) -> bool:
    """True where a table has changed since the statement was prepared, so that its columns are others now."""
    return getattr(error, "server_source_function", None) == "RevalidateCachedQuery"


def _translated(error: Exception, sql: str, arguments: Sequence[Any], *, is_lost: bool) -> DBAPIError:
    kind = _ERRORS.get(sqlstate_of(error)[:2], DBAPIError)
    return kind(sql, tuple(arguments), error, connection_invalidated=is_lost)
