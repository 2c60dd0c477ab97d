"""Sessions of frozen nodes are ended, and no others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from flowd.db import engine
from flowd.db.frozen_sessions import end_frozen_sessions
from flowd.db.metastore import Metastore


@asynccontextmanager
async def session(url: str, *, application: str = "flowd") -> AsyncIterator[asyncpg.Connection]:
    """A session in a transaction, as a node has it."""
    connection = await asyncpg.connect(url, server_settings={"application_name": application})
    try:
        await connection.execute("BEGIN")
        yield connection
    finally:
        connection.terminate()


async def ended_by(url: str) -> int:
    """End what is frozen, and say how many that were."""
    metastore = Metastore(url)
    try:
        async with metastore.glance() as tx:
            return await end_frozen_sessions(tx)
    finally:
        await metastore.close()


async def test_a_session_whose_client_stopped_amid_a_statement_is_ended(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "IDLE_IN_TRANSACTION_SECONDS", 0)
    async with session(postgres_url) as frozen:
        closed = asyncio.Event()
        frozen.add_termination_listener(lambda _: closed.set())
        # A client that goes on to nothing after this is all that the server can see of a frozen one.
        await frozen.prepare("SELECT 1")

        assert await ended_by(postgres_url) == 1
        await closed.wait()


async def test_one_that_has_just_been_told_to_prepare_is_left_alone(postgres_url: str) -> None:
    async with session(postgres_url) as preparing:
        statement = await preparing.prepare("SELECT 1")

        assert await ended_by(postgres_url) == 0
        assert await statement.fetchval() == 1


async def test_idle_ones_busy_ones_and_strangers_are_left_alone(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "IDLE_IN_TRANSACTION_SECONDS", 0)
    async with (
        session(postgres_url) as idle,
        session(postgres_url) as busy,
        session(postgres_url, application="psql") as stranger,
    ):
        await stranger.prepare("SELECT 1")
        number = await busy.fetchval("SELECT pg_backend_pid()")
        sleeping = asyncio.create_task(busy.execute("SELECT pg_sleep(600)"))
        while not await idle.fetchval("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", number):
            await idle.execute("SELECT pg_stat_clear_snapshot()")

        assert await ended_by(postgres_url) == 0
        assert await stranger.fetchval("SELECT 1") == 1
        assert await idle.fetchval("SELECT 1") == 1
        assert not sleeping.done()
        sleeping.cancel()
