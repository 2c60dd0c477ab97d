"""PostgreSQL through asyncpg: a statement is prepared and planned once in a while, and run in one round trip."""

import time
from collections.abc import Awaitable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InvalidRequestError, ProgrammingError

from flowd.db.dialect import Kind
from flowd.db.driver import Change, Driver
from flowd.db.engine import BY_STATISTICS
from flowd.db.failures import BrokenConnection, sqlstate_of
from flowd.db.rows import Rows
from flowd.db.statement import as_one, compiled

MOST_PREPARED = 512
"""Statements that one connection keeps prepared; beyond it, the oldest gives way."""

PLANNED_FOR_SECONDS = 10.0
"""How long a plan is used. It was made for tables of the size they had: what was good for 50 rows is not for 5,000."""

_PREPARED = "flowd prepared"
_PLAN_FREELY = "; ".join(f"SET LOCAL {name} = {value}" for name, value in BY_STATISTICS.items())
_UNIQUE_VIOLATION = "23505"
_ERRORS = {"22": DataError, "23": IntegrityError, "42": ProgrammingError}  # by class of SQLSTATE

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A statement that the server keeps with its plan; `until` is when that is too old, on the monotonic clock."""

    statement: Any
    until: float


class PostgresqlDriver(Driver):
    """A transaction on a connection of asyncpg. `info` lives as long as the connection: what is prepared stands there.

    asyncpg itself asks the server to cancel a statement that is cancelled here or runs into its deadline.
    """

    def __init__(self, connection: Any, info: MutableMapping[Any, Any]) -> None:
        super().__init__()
        self._connection = connection
        self._prepared: dict[str, _Prepared] = info.setdefault(_PREPARED, {})

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

    async def plan_freely(self) -> None:
        if not self._is_planned_freely and not self._is_looking:
            await self._say(_PLAN_FREELY)
        await super().plan_freely()

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
        prepared = await self._ready(sql)
        rows = await prepared.fetch(*arguments)
        return Rows(rows, rows, _count(prepared.get_statusmsg()))

    async def _ready(self, sql: str) -> Any:
        """Return the statement, prepared anew where its plan is too old."""
        now = time.monotonic()
        kept = self._prepared.get(sql)
        if kept is None or kept.until < now:
            if kept is None and len(self._prepared) >= MOST_PREPARED:
                del self._prepared[next(iter(self._prepared))]
            kept = self._prepared[sql] = _Prepared(await self._connection.prepare(sql), now + PLANNED_FOR_SECONDS)
        return kept.statement

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
