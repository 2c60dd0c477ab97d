"""What a transaction puts off: run before anything can miss it, and all or nothing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.errors import Conflict
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite

INSERT = "INSERT INTO {table} (id, body) VALUES (:id, :body)"


@pytest.fixture
async def metastore(site: LedgerSite) -> AsyncIterator[Metastore]:
    """Each database in turn, with two tables."""
    async with site.metastore.transaction() as tx:
        for table in ("note", "margin"):
            await tx.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, body VARCHAR(20))")
    yield site.metastore
    async with site.metastore.transaction() as tx:
        for table in ("note", "margin"):
            await tx.execute(f"DROP TABLE {table}")


async def put_off(tx: Transaction, table: str, key: int, body: str = "") -> None:
    await tx.defer(table, INSERT.format(table=table), {"id": key, "body": body})


async def rows(metastore: Metastore, table: str) -> list[tuple[int, str]]:
    async with metastore.reading() as tx:
        return [(key, body) for key, body in await tx.execute(f"SELECT id, body FROM {table} ORDER BY id")]


async def test_what_was_put_off_is_written_at_the_commit(metastore: Metastore) -> None:
    async with metastore.transaction() as tx:
        await put_off(tx, "note", 1, "a")
        await put_off(tx, "margin", 2, "b")

    assert (await rows(metastore, "note"), await rows(metastore, "margin")) == ([(1, "a")], [(2, "b")])


async def test_the_next_statement_sees_what_was_put_off(metastore: Metastore) -> None:
    async with metastore.transaction() as tx:
        await put_off(tx, "note", 1)

        assert (await tx.execute("SELECT COUNT(*) FROM note")).scalar_one() == 1


async def test_changes_of_one_table_are_run_in_their_order(metastore: Metastore) -> None:
    async with metastore.transaction() as tx:
        await put_off(tx, "note", 1, "first")
        await put_off(tx, "margin", 1)
        await tx.defer("note", "UPDATE note SET body = :body WHERE id = :id", {"id": 1, "body": "then"}, touching=1)

    assert await rows(metastore, "note") == [(1, "then")]


async def test_an_error_drops_what_was_put_off(metastore: Metastore) -> None:
    with pytest.raises(ZeroDivisionError):
        async with metastore.transaction() as tx:
            await put_off(tx, "note", 1)
            raise ZeroDivisionError

    assert await rows(metastore, "note") == []


@pytest.mark.parametrize("beside", [True, False], ids=["beside another change", "alone"])
async def test_a_change_that_touches_not_as_many_rows_as_it_must_undoes_everything(
    metastore: Metastore, beside: bool
) -> None:
    with pytest.raises(Conflict, match=r"^rows of note changed while they were locked$"):
        async with metastore.transaction() as tx:
            if beside:
                await put_off(tx, "margin", 1)
            await tx.defer("note", "UPDATE note SET body = '' WHERE id = :id", {"id": 7}, touching=1)

    assert await rows(metastore, "margin") == []


async def test_no_savepoint_begins_in_front_of_what_was_put_off(metastore: Metastore) -> None:
    async with metastore.transaction() as tx:
        await put_off(tx, "note", 1)
        with pytest.raises(AssertionError, match="flush"):
            _ = tx.connection
        await tx.flush()
        async with tx.connection.begin_nested() as savepoint:
            await tx.execute(INSERT.format(table="margin"), {"id": 1, "body": ""})
            await savepoint.rollback()

    assert (await rows(metastore, "note"), await rows(metastore, "margin")) == ([(1, "")], [])


async def test_the_clock_of_a_lock_is_that_of_the_moment_when_it_was_given(open_postgres_site: OpenSite) -> None:
    site, other = open_postgres_site(), open_postgres_site()
    await site.set_pool("narrow", 1)
    held = asyncio.Event()
    lock = "SELECT name FROM pool WHERE name = :name FOR UPDATE"

    async def hold() -> datetime:
        async with site.metastore.transaction() as tx:
            await tx.lock(lock, {"name": "narrow"})
            held.set()
            await somebody_waits(site)
            return await tx.now()

    async def wait() -> datetime:
        await held.wait()
        async with other.metastore.transaction() as tx:
            found, now = await tx.lock(lock, {"name": "narrow"})
            assert [row["name"] for row in found] == ["narrow"]
            return now

    async with asyncio.timeout(120):
        released, given = await asyncio.gather(hold(), wait())

    assert released < given


async def somebody_waits(site: LedgerSite) -> None:
    """Return when a transaction of this database waits for a lock."""
    while True:
        async with site.metastore.glance() as tx:
            found = await tx.execute(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        if found.scalar_one():
            return
        await asyncio.sleep(0.01)


async def test_a_lock_on_nothing_tells_the_clock_too(site: LedgerSite) -> None:
    async with site.metastore.transaction() as tx:
        before = await tx.now()
        found, now = await tx.lock(f"SELECT name FROM pool WHERE name = :name{tx.dialect.for_update}", {"name": "none"})

        assert list(found) == []
        assert before <= now <= await tx.now()
