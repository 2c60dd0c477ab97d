"""SQLite's statements run in a thread, or briefly in the loop: neither is left to work for nobody, nor ends unseen."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from flowd.db.metastore import Metastore

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n"


@pytest.fixture
async def metastore(tmp_path: Path) -> AsyncIterator[Metastore]:
    made = Metastore(f"sqlite:///{tmp_path}/flowd.db")
    async with made.transaction() as tx:
        await tx.execute("CREATE TABLE note (id INTEGER PRIMARY KEY)")
    yield made
    assert made.pooled_out == 0
    await made.close()


async def write(metastore: Metastore) -> None:
    async with metastore.transaction() as tx:
        await tx.execute("INSERT INTO note VALUES (1)")


@pytest.mark.parametrize("ahead_seconds", [0, 0.05], ids=["before it began", "while it runs"])
async def test_a_cancelled_statement_is_interrupted_and_its_connection_replaced(
    metastore: Metastore, ahead_seconds: float
) -> None:
    started = asyncio.Event()

    async def hang() -> None:
        async with metastore.transaction() as tx:
            await tx.execute("INSERT INTO note VALUES (1)")
            started.set()
            await tx.execute(ENDLESS)

    async with asyncio.timeout(120):
        hanging = asyncio.create_task(hang())
        await started.wait()
        await asyncio.sleep(ahead_seconds)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        await write(metastore)


async def test_a_cancelled_statement_frees_the_write_lock_though_an_older_error_holds_on_to_the_connection(
    metastore: Metastore,
) -> None:
    started = asyncio.Event()
    kept: list[IntegrityError] = []

    async def hang() -> None:
        async with metastore.transaction() as tx:
            await tx.execute("INSERT INTO note VALUES (1)")
            try:
                await tx.execute("INSERT INTO note VALUES (1)")
            except IntegrityError as error:
                kept.append(error)
            started.set()
            await tx.execute(ENDLESS)

    async with asyncio.timeout(120):
        hanging = asyncio.create_task(hang())
        await started.wait()
        await asyncio.sleep(0.05)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        await write(metastore)
    assert kept


@pytest.mark.parametrize("is_brief", [False, True])
@pytest.mark.parametrize("value", ["half a character: \udcff", 2**70])
async def test_what_sqlite_cannot_hold_rolls_back_like_any_error(
    metastore: Metastore, value: object, is_brief: bool
) -> None:
    with pytest.raises((UnicodeEncodeError, OverflowError)):
        async with metastore.transaction(is_brief=is_brief) as tx:
            await tx.execute("INSERT INTO note VALUES (1)")
            await tx.execute("INSERT INTO note VALUES (:id)", {"id": value})

    await write(metastore)


@pytest.mark.parametrize("is_brief", [False, True])
async def test_a_transaction_that_ended_by_itself_is_not_taken_for_written(
    metastore: Metastore, is_brief: bool
) -> None:
    with pytest.raises(OperationalError, match="no transaction is active"):
        async with metastore.transaction(is_brief=is_brief) as tx:
            await tx.execute("INSERT INTO note VALUES (1)")
            await tx.execute("ROLLBACK")

    await write(metastore)


async def test_the_clock_of_a_statement_is_this_machines(metastore: Metastore) -> None:
    before = time.time_ns() // 1000

    async with metastore.reading() as tx:
        now = (await tx.execute(f"SELECT {tx.dialect.now}")).scalar_one()

    assert before <= now <= time.time_ns() // 1000


@pytest.fixture
async def thread_of(metastore: Metastore) -> Callable[..., Awaitable[int]]:
    """Say in which thread a statement of such a transaction runs."""

    async def ask(*, is_brief: bool) -> int:
        async with metastore.transaction(is_brief=is_brief) as tx:
            raw: Any = await tx.connection.get_raw_connection()
            await raw.driver_connection.create_function("thread", 0, threading.get_ident)
            return int((await tx.execute("SELECT thread()")).scalar_one())

    return ask


async def test_a_brief_transaction_runs_in_the_event_loop_and_any_other_beside_it(
    thread_of: Callable[..., Awaitable[int]],
) -> None:
    assert await thread_of(is_brief=True) == threading.get_ident()
    assert await thread_of(is_brief=False) != threading.get_ident()


async def test_a_brief_transaction_that_lingers_goes_on_beside_the_event_loop(metastore: Metastore) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    async with metastore.transaction(is_brief=True) as tx:
        await tx.execute("INSERT INTO note VALUES (1)")
        before = turns
        tx.linger()
        await tx.execute("INSERT INTO note VALUES (2)")
        after = turns
    turning.cancel()

    assert (before, after > 0) == (0, True)


async def test_a_brief_transaction_that_must_wait_for_another_process_does_not_hold_up_the_event_loop(
    metastore: Metastore, tmp_path: Path
) -> None:
    other = Metastore(f"sqlite:///{tmp_path}/flowd.db")
    held, waiting = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with other.transaction():
            held.set()
            await waiting.wait()

    async def wait() -> None:
        await held.wait()
        async with metastore.transaction(is_brief=True) as tx:
            await tx.execute("INSERT INTO note VALUES (1)")

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        group.create_task(hold())
        waiter = group.create_task(wait())
        await held.wait()
        # The loop still turns while the other waits in its thread.
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiter.done()
        waiting.set()

    async with metastore.glance() as tx:
        assert (await tx.execute("SELECT COUNT(*) FROM note")).scalar_one() == 1
    await other.close()
