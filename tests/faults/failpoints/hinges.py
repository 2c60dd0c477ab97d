"""Hinges: how the doors are hung on a node's code from outside, with no flag in the code itself."""

import importlib
import os
import pkgutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import flowd.queue
from flowd.child.keeper_client import Keeper, KeeperDied
from flowd.db.driver import Driver
from flowd.db.driver_postgresql import PostgresqlDriver
from flowd.db.failures import BrokenConnection
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.queue.base import Delivery, Queue, Subscription
from flowd.roles.worker.report import Report
from flowd.roles.worker.spool import Spool
from tests.faults.failpoints.door import ACK, DEAD_LETTER, SPOOL, START, door_name
from tests.faults.failpoints.gatekeeper import Gatekeeper
from tests.faults.failpoints.order import Action, Moment

Async = Callable[..., Awaitable[Any]]

for _module in pkgutil.walk_packages(flowd.queue.__path__, "flowd.queue."):
    importlib.import_module(_module.name)  # a node imports only the one it opens
BACKENDS = frozenset(one for one in Queue.__subclasses__() if one.__module__.startswith("flowd."))
"""Every queue that a node can open."""
SUBSCRIPTIONS = frozenset(one for one in Subscription.__subclasses__() if one.__module__.startswith("flowd."))


def hang_doors(keeper: Gatekeeper) -> None:
    """Let every commit, publish, ring, receipt, spool and start of this process pass by the gatekeeper."""
    _hang_commits(keeper)
    for backend in BACKENDS:
        _hang_sends(keeper, backend)
    for subscription in SUBSCRIPTIONS:
        _hang_receipts(keeper, subscription)
    _hang_spool(keeper)
    Keeper.start = _through(keeper, START, Keeper.start, failure=_no_keeper)  # type: ignore[method-assign,assignment]


def _hang_commits(keeper: Gatekeeper) -> None:
    begin, commit = Metastore.transaction, Driver.commit
    doors: dict[Driver, str] = {}

    def transaction(self: Metastore, **options: Any) -> AbstractAsyncContextManager[Transaction]:
        return named(begin(self, **options), _caller("commit"))

    @asynccontextmanager
    async def named(begun: AbstractAsyncContextManager[Transaction], door: str) -> AsyncIterator[Transaction]:
        async with begun as tx:
            driver = tx._driver
            doors[driver] = door
            try:
                yield tx
            except BaseException:
                del doors[driver]
                raise

    async def commit_through_door(self: Driver) -> None:
        door = doors.pop(self, None)
        if door is None:  # of a reader
            await commit(self)
            return
        match await keeper.pass_by(door, Moment.BEFORE):
            case Action.STOP_AMID:
                assert isinstance(self, PostgresqlDriver)
                await self._connection.prepare("SELECT 1")
                os.kill(os.getpid(), signal.SIGSTOP)
            case Action():
                raise BrokenConnection from OSError(f"failpoint before {door}")
        await commit(self)
        if await keeper.pass_by(door, Moment.AFTER) is not None:
            raise BrokenConnection from OSError(f"failpoint after {door}")

    Metastore.transaction = transaction  # type: ignore[method-assign]
    Driver.commit = commit_through_door  # type: ignore[method-assign]


def _hang_sends(keeper: Gatekeeper, backend: type[Queue]) -> None:
    publish, ring = backend.publish, backend.ring

    async def publish_through(queue: Queue, door: str, messages: Sequence[Any]) -> Sequence[bool]:
        match await keeper.pass_by(door, Moment.BEFORE):
            case Action.FAIL:
                return [False] * len(messages)
            case Action.DROP:
                return [True] * len(messages)
        confirmed = await publish(queue, messages)
        return confirmed if await keeper.pass_by(door, Moment.AFTER) is None else [False] * len(messages)

    def named_publish(self: Queue, assignments: Sequence[Any]) -> Awaitable[Sequence[bool]]:
        return publish_through(self, _caller("publish"), assignments)

    async def ring_through(queue: Queue, door: str, runs: Sequence[Any]) -> None:
        if await keeper.pass_by(door, Moment.BEFORE) is None:
            await ring(queue, runs)
            await keeper.pass_by(door, Moment.AFTER)

    def named_ring(self: Queue, runs: Sequence[Any]) -> Awaitable[None]:
        return ring_through(self, _caller("ring"), runs)

    backend.publish, backend.ring = named_publish, named_ring  # type: ignore[method-assign,assignment]


def _hang_receipts(keeper: Gatekeeper, subscription: type[Subscription]) -> None:
    receive = subscription.receive

    async def receive_with_doors(self: Subscription, free: int) -> list[Delivery]:
        return [
            replace(
                delivery,
                ack=_through(keeper, ACK, delivery.ack, failure=_nothing),
                dead_letter=_through(keeper, DEAD_LETTER, delivery.dead_letter, failure=_nothing),
            )
            for delivery in await receive(self, free)
        ]

    subscription.receive = receive_with_doors  # type: ignore[method-assign]


def _hang_spool(keeper: Gatekeeper) -> None:
    keeping = Spool.keeping

    @asynccontextmanager
    async def keeping_through_door(self: Spool, reports: Sequence[Report]) -> AsyncIterator[None]:
        if await keeper.pass_by(SPOOL, Moment.BEFORE) is not None:
            yield  # as on a disk that takes nothing
            return
        async with keeping(self, reports):
            await keeper.pass_by(SPOOL, Moment.AFTER)
            yield

    Spool.keeping = keeping_through_door  # type: ignore[method-assign]


def _through(keeper: Gatekeeper, door: str, act: Async, *, failure: Callable[[], Any]) -> Async:
    async def act_through_door(*given: Any, **named: Any) -> Any:
        if await keeper.pass_by(door, Moment.BEFORE) is not None:
            return failure()
        answer = await act(*given, **named)
        return answer if await keeper.pass_by(door, Moment.AFTER) is None else failure()

    return act_through_door


def _caller(kind: str) -> str:
    """Return the name of the door that the caller of our caller is."""
    frame = sys._getframe(2)
    return door_name(frame.f_globals["__name__"], frame.f_code, kind)


def _nothing() -> None:
    """What is lost without a word."""


def _no_keeper() -> None:
    raise KeeperDied("failpoint: the keeper is gone")
