"""Connections are kept open between transactions, and lent to one at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, ResourceClosedError

from flowd.db.metastore import Metastore
from flowd.domain.errors import MetastoreUnavailable


@pytest.fixture
async def metastore(postgres_url: str) -> AsyncIterator[Metastore]:
    made = Metastore(postgres_url, pool_size=2)
    yield made
    assert made.pooled_out == 0
    await made.close()


async def backend(metastore: Metastore) -> int:
    async with metastore.reading() as tx:
        return int((await tx.execute("SELECT pg_backend_pid()")).scalar_one())


async def test_the_next_transaction_has_the_connection_of_the_last(metastore: Metastore) -> None:
    assert len({await backend(metastore) for _ in range(3)}) == 1


async def test_a_connection_that_sqlalchemy_spoke_over_is_kept_too(metastore: Metastore) -> None:
    first = await backend(metastore)
    async with metastore.transaction() as tx:
        await tx.execute(text("SELECT 1"))

    assert await backend(metastore) == first


async def test_a_connection_that_was_rolled_back_is_kept_too(metastore: Metastore) -> None:
    first = await backend(metastore)
    with pytest.raises(ProgrammingError):
        async with metastore.transaction() as tx:
            await tx.execute("SELECT * FROM nothing")

    assert await backend(metastore) == first


async def test_a_transaction_that_is_over_does_not_reach_into_the_next_on_its_connection(metastore: Metastore) -> None:
    async with metastore.transaction() as over:
        pass

    async with metastore.transaction():
        for statement in ("SELECT 1", text("SELECT 1")):
            with pytest.raises(ResourceClosedError):
                await over.execute(statement)


async def test_whoever_finds_no_connection_waits_for_one(metastore: Metastore) -> None:
    async with asyncio.timeout(120), AsyncExitStack() as stack:
        first = await stack.enter_async_context(metastore.reading())
        held = (await first.execute("SELECT pg_backend_pid()")).scalar_one()
        async with metastore.reading():
            waiting = asyncio.create_task(backend(metastore))
            await asyncio.sleep(0)
            assert metastore.pooled_out == 2

        assert await waiting not in (None, held)


async def test_where_all_stay_in_use_the_metastore_is_unavailable(
    metastore: Metastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowd.db.connections.STATEMENT_SECONDS", 0.05)

    async with metastore.reading(), metastore.reading():
        with pytest.raises(MetastoreUnavailable, match="in use"):
            await backend(metastore)


async def test_whoever_is_cancelled_while_waiting_takes_no_connection_away(metastore: Metastore) -> None:
    async with metastore.reading(), metastore.reading():
        waiting = asyncio.create_task(backend(metastore))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    async with asyncio.timeout(120):
        await asyncio.gather(*(backend(metastore) for _ in range(6)))


async def test_one_that_comes_back_after_the_end_is_not_kept(metastore: Metastore) -> None:
    async with metastore.transaction() as tx:
        lent = tx.connection
        await metastore.close()

    assert lent.closed
