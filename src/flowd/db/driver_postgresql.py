"""PostgreSQL through asyncpg: each statement is prepared once for a connection, and run in one round trip."""

from collections.abc import Awaitable, Mapping, MutableMapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InvalidRequestError, ProgrammingError

from flowd.db.dialect import Kind
from flowd.db.driver import Change, Driver
from flowd.db.failures import BrokenConnection, sqlstate_of
from flowd.db.rows import Rows
from flowd.db.statement import as_one, compiled

MOST_PREPARED = 512
"""Statements that one connection keeps prepared; beyond it, the oldest gives way."""

_PREPARED = "flowd prepared"
_UNIQUE_VIOLATION = "23505"
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

    @property
    def is_alive(self) -> bool:
        """False once the server has closed the connection: one that restarts closes them all."""
        return not self._connection.is_closed()

    async def execute(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        ready = compiled(Kind.POSTGRESQL, statement)
        arguments = ready.arguments(parameters)
        return await self._answer(self._run(ready.sql, arguments), ready.sql)

    async def change(self, changes: Sequence[Change]) -> None:
        """Run all of them in one round trip, as parts of one statement."""
        if len(changes) == 1:
            await super().change(changes)
            return
        ready = as_one(Kind.POSTGRESQL, tuple(one.statement for one in changes))
        arguments = [changes[place].parameters[name] for place, name in ready.names]
        try:
            answer = await self._answer(self._run(ready.sql, arguments), ready.sql)
        except IntegrityError as error:
            # The history has this version already: told before any count is, for all is one statement.
            guarded = next((one for one in changes if one.touching is not None), None)
            if guarded is None or sqlstate_of(error.orig) != _UNIQUE_VIOLATION:
                raise
            raise guarded.conflict() from error
        for one, touched in zip(changes, answer.one(), strict=True):
            one.check(touched)

    async def _begin(self, *, is_reading: bool, is_brief: bool) -> None:
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
        status: str = await self._answer(self._connection.execute(sql), sql)
        return status

    async def _run(self, sql: str, arguments: Sequence[Any]) -> Rows:
        prepared = self._prepared.get(sql)
        if prepared is None:
            if len(self._prepared) >= MOST_PREPARED:
                del self._prepared[next(iter(self._prepared))]
            prepared = self._prepared[sql] = await self._connection.prepare(sql)
        rows = await prepared.fetch(*arguments)
        return Rows(rows, rows, _count(prepared.get_statusmsg()))

    async def _answer(self, call: Awaitable[Answer], sql: str) -> Answer:
        self.is_answered = False
        try:
            answer = await call
        except OSError as error:  # TimeoutError is one: the deadline that the connection was opened with
            raise BrokenConnection from error
        except Exception as error:
            if _is_stale(error):
                raise BrokenConnection from error
            self.is_answered = not self._connection.is_closed()
            raise _translated(error, sql, is_lost=not self.is_answered) from error
        self.is_answered = True
        return answer


def _count(status: str) -> int:
    """Return the number at the end of "UPDATE 5" or "INSERT 0 5", -1 where there is none."""
    number = status.rpartition(" ")[2]
    return int(number) if number.isdecimal() else -1


def _is_stale(error: Any) -> bool:
    """True where a table has changed since the statement was prepared, so that its columns are others now."""
    return getattr(error, "server_source_function", None) == "RevalidateCachedQuery"


def _translated(error: Exception, sql: str, *, is_lost: bool) -> DBAPIError:
    kind = _ERRORS.get(sqlstate_of(error)[:2], DBAPIError)
    return kind(sql, (), error, connection_invalidated=is_lost)
