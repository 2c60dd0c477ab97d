"""Connections that stay open between transactions.

SQLAlchemy opens them; but its own pool would cost each loan a greenlet and a round of events, which is more than most
transactions cost.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from flowd.db.driver import Driver
from flowd.db.engine import STATEMENT_SECONDS
from flowd.db.failures import BrokenConnection


@dataclass(frozen=True, slots=True)
class Lent:
    """A connection as SQLAlchemy knows it, and the driver for text statements on it."""

    connection: AsyncConnection
    driver: Driver


class Connections:
    """At most `size` connections of one engine, each for one transaction at a time."""

    def __init__(self, engine: AsyncEngine, size: int, driver: Callable[[AsyncConnection], Driver]) -> None:
        self._engine = engine
        self._driver = driver
        self._room = asyncio.Semaphore(size)
        self._idle: list[AsyncConnection] = []
        self._is_closed = False
        self.lent_out = 0

    async def lend(self) -> Lent:
        """Return a connection, open and clean, once there is one.

        Raises TimeoutError where all stay in use for STATEMENT_SECONDS, or whatever keeps a new one from being opened.
        """
        await self._make_room()
        self.lent_out += 1
        try:
            return await self._idle_one() or self._lent(await self._engine.connect())
        except BaseException:
            self._free()
            raise

    async def take_back(self, lent: Lent) -> None:
        """Keep the connection for the next transaction, or throw it away where it is not clean and cannot be made so.

        Cancelling this breaks nothing off: it goes on by itself.
        """
        if lent.driver.is_clean and not lent.connection.in_transaction() and not self._is_closed:
            self._idle.append(lent.connection)  # the common end waits for nothing: nothing can cancel it halfway
            self._free()
        else:
            await asyncio.shield(self._clear_up(lent))

    async def close(self) -> None:
        """Close those that are not in use, and the others as they come back."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()
        await self._engine.dispose()

    async def _make_room(self) -> None:
        if not self._room.locked():
            await self._room.acquire()  # at once: a deadline would cost more than the loan
            return
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                await self._room.acquire()
        except TimeoutError:
            raise TimeoutError(f"all its connections were in use for {STATEMENT_SECONDS:g} seconds") from None

    async def _idle_one(self) -> Lent | None:
        while self._idle:
            lent = self._lent(self._idle.pop())  # the one used last has most statements prepared
            if lent.driver.is_alive:
                return lent
            await _throw_away(lent)
        return None

    def _lent(self, connection: AsyncConnection) -> Lent:
        # A driver of its own for each transaction: whoever still holds an older one must not reach into this one.
        return Lent(connection, self._driver(connection))

    async def _clear_up(self, lent: Lent) -> None:
        connection, driver = lent.connection, lent.driver
        try:
            # SQLAlchemy invalidates the connection of a statement of its own that broke.
            if not connection.invalidated:
                with suppress(DBAPIError, BrokenConnection):  # the first error is the one to tell; it is not clean then
                    if driver.is_open and driver.is_answered:
                        await driver.rollback()
                    if driver.is_clean and connection.in_transaction():
                        await connection.commit()  # sends nothing, for it is in AUTOCOMMIT: only SQLAlchemy's own idea
                if driver.is_clean and not connection.in_transaction() and not self._is_closed:
                    self._idle.append(connection)
                    return
            await _throw_away(lent)
        finally:
            self._free()

    def _free(self) -> None:
        self.lent_out -= 1
        self._room.release()


async def _throw_away(lent: Lent) -> None:
    connection = lent.connection
    if not connection.invalidated or lent.driver.goes_on_alone:
        await lent.driver.abandon()
    if not connection.invalidated:
        await connection.invalidate()
    await connection.close()
