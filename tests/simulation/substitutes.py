"""What takes the place of the machine's clock, dice, threads and keepers for the length of a simulation."""

import asyncio
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import aiosqlite
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.typing import EventDict

from flowd.actions import trigger_run
from flowd.db import engine, metastore, transaction
from flowd.db.dialect import Kind
from flowd.db.driver import Driver
from flowd.roles import backoff
from flowd.roles.scheduler import scheduler
from flowd.roles.worker import attempt, claimer, heartbeat, succession, worker
from tests.simulation import inline_sqlite
from tests.simulation.database import DatabaseServer, LinkedDriver
from tests.simulation.machine import Machine, SimulatedKeeper, SimulatedKeeperHost
from tests.simulation.virtual_loop import PROCESS, Process, VirtualLoop
from tests.simulation.waits import making

EPOCH_US = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6)

WELL_KNOWN = frozenset({"message refused"})
"""Errors that nodes are to log: a message was altered on its way."""


class VirtualClock:
    """Every clock there is, read off the loop. The metastore's never shows the same moment twice."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._last_us = 0
        self.jump_us = 0
        """How far the metastore's clock has been moved."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._loop.now)

    def monotonic(self) -> float:
        return self._loop.now

    def monotonic_ns(self) -> int:
        return int(self._loop.now * 1e9)

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("no agent sleeps by its clock")

    def metastore_us(self) -> int:
        """Return the metastore's clock."""
        self._last_us = max(self._last_us + 1, EPOCH_US + int(self._loop.now * 1e6)) + self.jump_us
        self.jump_us = 0
        return self._last_us


class Idle:
    """Takes the place of an agent that has no part in the simulation."""

    def __init__(self, *args: Any) -> None: ...

    async def run(self) -> None:
        """Do nothing until cancelled."""
        await asyncio.Event().wait()


@contextmanager
def substituted(
    clock: VirtualClock, chance: Random, server: DatabaseServer, machines: Mapping[Process, Machine], errors: list[str]
) -> Iterator[None]:
    """Put everything in place, and put it back at the end. Errors that are logged are gathered in `errors`."""
    dice = SimpleNamespace(token_hex=lambda size: chance.randbytes(size).hex())

    def driver(kind: Kind, connection: AsyncConnection) -> Driver:
        assert connection.sync_connection is not None
        lent = connection.sync_connection.connection.driver_connection
        assert kind is Kind.SQLITE and isinstance(lent, aiosqlite.Connection)
        return LinkedDriver(lent, server)

    def keeper_host(environ: Mapping[str, str]) -> SimulatedKeeperHost:
        process = PROCESS.get()
        assert process is not None
        return SimulatedKeeperHost(SimulatedKeeper(machines[process], process))

    def kill_marked(marks: Collection[str]) -> None:
        process = PROCESS.get()
        assert process is not None
        machines[process].kill_marked(marks)

    places: list[tuple[Any, str, Any]] = [
        (aiosqlite, "connect", inline_sqlite.connect),
        (metastore, "_driver", driver),
        (engine, "microseconds_now", clock.metastore_us),
        (transaction, "microseconds_now", clock.metastore_us),
        *((module, "time", clock) for module in (attempt, claimer, heartbeat)),
        (backoff, "random", chance),
        (claimer, "secrets", dice),
        (trigger_run, "secrets", dice),
        (worker, "KeeperHost", keeper_host),
        (worker, "TriggerProcess", making(chance)),
        *((module, "kill_marked", kill_marked) for module in (attempt, succession)),
        (scheduler, "Pruner", Idle),
    ]
    before = [(place, name, getattr(place, name)) for place, name, _ in places]
    for place, name, substitute in places:
        setattr(place, name, substitute)
    try:
        with _silenced(errors):
            yield
    finally:
        for place, name, original in before:
            setattr(place, name, original)


@contextmanager
def _silenced(errors: list[str]) -> Iterator[None]:
    """Gather what is logged as an error: a step that fails is a bug, however well the loop goes on."""

    def gather(_logger: object, _method: str, event: EventDict) -> EventDict:
        error = sys.exc_info()[1]
        if event["event"] not in WELL_KNOWN:
            errors.append(f"{event}" + (f": {error!r}" if error else ""))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[gather],
        wrapper_class=structlog.make_filtering_bound_logger(40),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
