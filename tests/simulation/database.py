"""The metastore's server as its nodes meet it: a way there that takes time and can break, and one writer at a time."""

import asyncio
from collections import deque
from random import Random
from typing import Any

import aiosqlite

from flowd.db.driver_sqlite import SqliteDriver
from flowd.db.failures import BrokenConnection
from flowd.db.rows import Rows
from tests.simulation.virtual_loop import NOBODY, PROCESS, Fate, Process, VirtualLoop

LATENCY_SECONDS = 0.002
IDLE_IN_TRANSACTION_SECONDS = 60.0
HANG_SECONDS = 30.0


class DatabaseServer:
    """Gives the writer's turn to one transaction after the other, in the order in which they ask.

    `away` are the processes that cannot reach it; `is_down` is for all. A connection that breaks, or whose process
    dies, is rolled back; so is one that holds the turn for too long.
    """

    def __init__(self, loop: VirtualLoop, chance: Random) -> None:
        self.is_down = False
        self.away: set[Process] = set()
        self.lost_answers = 0.0
        self._loop = loop
        self._chance = chance
        self._writer: LinkedDriver | None = None
        self._waiting: deque[tuple[LinkedDriver, asyncio.Future[None]]] = deque()

    async def reach(self, process: Process | None) -> None:
        """Return when a message has come through; raise BrokenConnection where none does."""
        await asyncio.sleep(self._chance.random() * LATENCY_SECONDS)
        if self.is_down or process in self.away:
            # Refused at once, or a half-open socket that is given up after its deadline.
            if self._chance.random() < 0.5:
                await asyncio.sleep(self._chance.random() * HANG_SECONDS)
            raise BrokenConnection

    def loses_answer(self) -> bool:
        """Return whether this time only the answer to a COMMIT is lost."""
        return self._chance.random() < self.lost_answers

    async def begin_writing(self, driver: "LinkedDriver") -> None:
        """Return when it is the driver's turn to write."""
        if self._writer is not None:
            turn: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append((driver, turn))
            try:
                await turn
            except BaseException:
                self.end_writing(driver)
                raise
        else:
            self._give_turn(driver)

    def end_writing(self, driver: "LinkedDriver") -> None:
        """The driver's transaction is over, or it no longer waits."""
        self._waiting = deque(pair for pair in self._waiting if pair[0] is not driver)
        if self._writer is not driver:
            return
        self._writer = None
        while self._waiting and self._writer is None:
            following, turn = self._waiting.popleft()
            is_alive = following.process is None or following.process.fate is not Fate.DEAD
            if is_alive and not turn.done():
                self._give_turn(following)
                turn.set_result(None)

    def disconnect(self, process: Process) -> None:
        """The process is gone: what it had begun is rolled back."""
        self._waiting = deque(pair for pair in self._waiting if pair[0].process is not process)
        if self._writer is not None and self._writer.process is process:
            self._terminate(self._writer)

    def _give_turn(self, driver: "LinkedDriver") -> None:
        self._writer = driver
        turn = driver.turns = driver.turns + 1
        self._loop.call_later(IDLE_IN_TRANSACTION_SECONDS, self._end_idle, driver, turn, context=NOBODY)

    def _end_idle(self, driver: "LinkedDriver", turn: int) -> None:
        if self._writer is driver and driver.turns == turn:
            self._terminate(driver)

    def _terminate(self, driver: "LinkedDriver") -> None:
        driver.terminate()
        self.end_writing(driver)


class LinkedDriver(SqliteDriver):
    """SQLite behind a network: every statement travels, and a COMMIT's answer travels back."""

    def __init__(self, connection: aiosqlite.Connection, server: DatabaseServer) -> None:
        super().__init__(connection)
        self.process = PROCESS.get()
        self.turns = 0
        self._server = server
        self._is_terminated = False

    async def begin(self, *, is_reading: bool, is_brief: bool = False) -> None:
        await self._travel()
        if not is_reading:
            await self._server.begin_writing(self)
        try:
            await super().begin(is_reading=is_reading, is_brief=is_brief)
        except BaseException:
            self._server.end_writing(self)
            raise

    async def execute(self, statement: str, parameters: Any) -> Rows:
        await self._travel()
        return await super().execute(statement, parameters)

    async def commit(self) -> None:
        await self._travel()
        await super().commit()
        self._server.end_writing(self)
        await self._server.reach(self.process)
        if self._server.loses_answer():
            raise BrokenConnection

    async def rollback(self) -> None:
        try:
            await super().rollback()
        finally:
            self._server.end_writing(self)

    async def abandon(self) -> None:
        try:
            await super().abandon()
        finally:
            self._server.end_writing(self)

    def terminate(self) -> None:
        """The server ends the session."""
        self._is_terminated = True
        self._connection._conn.rollback()

    async def _travel(self) -> None:
        await self._server.reach(self.process)
        if self._is_terminated:
            raise BrokenConnection
