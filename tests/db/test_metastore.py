"""Transactions over the metastore, on every database, with the faults that a network and a server make."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError, ResourceClosedError

from flowd.db.dialect import Kind
from flowd.db.metastore import Metastore
from flowd.domain.errors import MetastoreUnavailable
from tests.support.pace import at_pace
from tests.support.tcp_proxy import TcpProxy
from tests.support.terminating import terminate_others

Say = Callable[[str], Any]
"""How a statement is said: as a text, straight to the driver, or as a TextClause, through SQLAlchemy."""


@pytest.fixture(params=[str, text], ids=["straight", "through SQLAlchemy"])
def say(request: pytest.FixtureRequest) -> Say:
    spoken: Say = request.param
    return spoken


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Metastore]:
    async with with_table(Metastore(f"sqlite:///{tmp_path}/new/folder/flowd.db")) as metastore:
        yield metastore


@pytest.fixture(params=["postgres_url", "mariadb_url"])
def server_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database on each server in turn."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def server(server_url: str) -> AsyncIterator[Metastore]:
    async with with_table(Metastore(server_url, pool_size=3)) as metastore:
        yield metastore


@pytest.fixture(params=["sqlite_url", "postgres_url", "mariadb_url"])
def any_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database of one's own, of each kind in turn."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def metastore(any_url: str) -> AsyncIterator[Metastore]:
    async with with_table(Metastore(any_url, pool_size=3)) as metastore:
        yield metastore


@asynccontextmanager
async def with_table(metastore: Metastore) -> AsyncIterator[Metastore]:
    """A metastore with a table `note`, from which no connection is left out at the end."""
    async with metastore.transaction() as tx:
        await tx.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)")
    yield metastore
    assert metastore.pooled_out == 0
    await metastore.close()


async def write(metastore: Metastore, key: int, body: str = "", *, say: Say = str) -> None:
    async with metastore.transaction() as tx:
        await tx.execute(say("INSERT INTO note VALUES (:key, :body)"), {"key": key, "body": body})


def is_mysql(metastore: Metastore) -> bool:
    return metastore.dialect.kind is Kind.MYSQL


def sleep(metastore: Metastore, seconds: int) -> str:
    return f"SELECT {'SLEEP' if is_mysql(metastore) else 'pg_sleep'}({seconds})"


async def count(metastore: Metastore) -> int:
    async with metastore.reading() as tx:
        return int((await tx.execute("SELECT COUNT(*) FROM note")).scalar_one())


async def test_a_transaction_is_committed_at_its_end_and_rolled_back_by_an_exception(metastore: Metastore) -> None:
    await write(metastore, 1)

    with pytest.raises(ZeroDivisionError):
        async with metastore.transaction() as tx:
            await tx.execute("INSERT INTO note VALUES (2, '')")
            raise ZeroDivisionError

    assert await count(metastore) == 1


async def test_an_error_in_the_statement_is_not_taken_for_an_absent_metastore(metastore: Metastore, say: Say) -> None:
    await write(metastore, 1)

    with pytest.raises(IntegrityError):
        await write(metastore, 1, say=say)
    with pytest.raises((OperationalError, ProgrammingError)):
        async with metastore.transaction() as tx:
            await tx.execute(say("SELECT * FROM nothing"))

    await write(metastore, 2)
    assert await count(metastore) == 2


async def test_texts_and_other_statements_share_one_transaction(metastore: Metastore) -> None:
    with pytest.raises(ZeroDivisionError):
        async with metastore.transaction() as tx:
            await tx.execute("INSERT INTO note VALUES (1, '')")
            await tx.execute(text("INSERT INTO note VALUES (2, '')"))
            assert (await tx.execute("SELECT COUNT(*) FROM note")).scalar_one() == 2
            assert (await tx.execute(text("SELECT COUNT(*) FROM note"))).scalar_one() == 2
            raise ZeroDivisionError

    assert await count(metastore) == 0


async def test_a_savepoint_is_taken_back_by_itself(metastore: Metastore) -> None:
    async with metastore.transaction() as tx:
        await tx.execute("INSERT INTO note VALUES (1, '')")
        with pytest.raises(IntegrityError):
            async with tx.connection.begin_nested():
                await tx.execute("INSERT INTO note VALUES (2, '')")
                await tx.execute("INSERT INTO note VALUES (1, 'again')")
        await tx.execute("INSERT INTO note VALUES (3, '')")

    async with metastore.reading() as tx:
        assert list(await tx.execute("SELECT id FROM note ORDER BY id")) == [(1,), (3,)]


async def test_a_transaction_that_is_over_runs_nothing_more(metastore: Metastore, say: Say) -> None:
    async with metastore.transaction() as committed:
        pass
    with pytest.raises(ZeroDivisionError):
        async with metastore.reading() as rolled_back:
            raise ZeroDivisionError

    for tx in (committed, rolled_back):
        with pytest.raises(ResourceClosedError):
            await tx.execute(say("SELECT 1"))


@pytest.mark.parametrize("error", [TimeoutError("mine"), FileNotFoundError("mine")])
async def test_the_callers_own_errors_pass_through_untouched(metastore: Metastore, error: Exception) -> None:
    with pytest.raises(type(error), match="mine"):
        async with metastore.transaction():
            raise error


async def test_nothing_can_be_written_while_reading(metastore: Metastore) -> None:
    with pytest.raises(Exception, match=r"(?i)read.?only"):
        async with metastore.reading() as tx:
            await tx.execute("INSERT INTO note VALUES (1, '')")

    assert await count(metastore) == 0


async def test_a_reader_sees_one_moment_and_waits_for_no_writer(metastore: Metastore) -> None:
    await write(metastore, 1)

    async with metastore.reading() as reader:
        before = (await reader.execute("SELECT COUNT(*) FROM note")).scalar_one()
        async with metastore.transaction() as writer:
            await writer.execute("INSERT INTO note VALUES (2, '')")
            during = (await reader.execute("SELECT COUNT(*) FROM note")).scalar_one()
        after = (await reader.execute("SELECT COUNT(*) FROM note")).scalar_one()

    assert (before, during, after) == (1, 1, 1)
    assert await count(metastore) == 2


async def test_a_cancelled_transaction_leaves_nothing_behind(metastore: Metastore) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with metastore.transaction() as tx:
            await tx.execute("INSERT INTO note VALUES (7, '')")
            begun.set()
            await asyncio.Event().wait()

    hanging = asyncio.create_task(hang())
    await begun.wait()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging

    assert metastore.pooled_out == 0
    await write(metastore, 7)


async def test_two_writers_take_turns(metastore: Metastore) -> None:
    async def add() -> None:
        async with metastore.transaction() as tx:
            await tx.execute("UPDATE note SET id = id + 1")

    await write(metastore, 0)
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(add())

    async with metastore.reading() as tx:
        assert (await tx.execute("SELECT id FROM note")).scalar_one() == 10


async def test_a_cancelled_statement_frees_its_connection_and_its_lock(server: Metastore, say: Say) -> None:
    started = asyncio.Event()

    async def hang() -> None:
        async with server.transaction() as tx:
            await tx.execute("INSERT INTO note VALUES (1, '')")
            started.set()
            await tx.execute(say(sleep(server, 50)))

    hanging = asyncio.create_task(hang())
    await started.wait()
    await asyncio.sleep(0)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging

    assert server.pooled_out == 0
    async with asyncio.timeout(120):
        await write(server, 1)
        assert await asyncio.gather(*(count(server) for _ in range(6))) == [1] * 6


async def test_a_terminated_backend_is_unavailable_once_and_then_replaced(server: Metastore, say: Say) -> None:
    with pytest.raises(MetastoreUnavailable, match="did not answer"):
        async with server.transaction() as tx:
            await tx.execute("INSERT INTO note VALUES (1, '')")
            await terminate_others(server)
            await tx.execute(say("INSERT INTO note VALUES (2, '')"))

    assert await server.retrying(lambda: count(server)) == 0


async def test_an_error_of_a_statement_tells_none_of_its_values(metastore: Metastore, say: Say) -> None:
    with pytest.raises(DBAPIError, match="no_such_table") as raised:
        async with metastore.transaction() as tx:
            await tx.execute(say("SELECT id FROM no_such_table WHERE id = :value"), {"value": "hunter2"})

    assert "hunter2" not in str(raised.value)


@pytest.fixture
async def wire(server_url: str) -> AsyncIterator[TcpProxy]:
    """A wire to the server that can be cut."""
    parts = urlsplit(server_url)
    async with TcpProxy(str(parts.hostname), parts.port or (3306 if parts.scheme == "mysql" else 5432)) as proxy:
        yield proxy


def through(wire: TcpProxy, url: str) -> str:
    parts = urlsplit(url)
    who = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{wire.port}"))


async def test_a_cut_wire_is_unavailable_and_heals_by_itself(wire: TcpProxy, server_url: str) -> None:
    async with with_table(Metastore(through(wire, server_url), pool_size=2)) as metastore:
        with pytest.raises(MetastoreUnavailable):
            async with metastore.transaction() as tx:
                await tx.execute("INSERT INTO note VALUES (1, '')")
                await wire.sever()
                await tx.execute("INSERT INTO note VALUES (2, '')")
        await wire.refuse()
        with pytest.raises(MetastoreUnavailable):
            await metastore.retrying(lambda: count(metastore))
        await wire.heal()

        assert await metastore.retrying(lambda: count(metastore)) == 0


async def test_a_wire_cut_at_the_commit_is_unavailable(wire: TcpProxy, server_url: str) -> None:
    async with with_table(Metastore(through(wire, server_url), pool_size=2)) as metastore:
        with pytest.raises(MetastoreUnavailable):
            async with metastore.transaction() as tx:
                await tx.execute("INSERT INTO note VALUES (1, '')")
                await wire.sever()


async def test_a_server_that_says_nothing_any_more_holds_nobody_for_ever(
    wire: TcpProxy, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowd.db.engine.STATEMENT_SECONDS", 0.3)
    async with with_table(Metastore(through(wire, server_url), pool_size=1)) as metastore:
        async with asyncio.timeout(120):
            with pytest.raises(MetastoreUnavailable):
                async with metastore.transaction() as tx:
                    await tx.execute("INSERT INTO note VALUES (1, '')")
                    wire.blackhole()
                    await tx.execute("INSERT INTO note VALUES (2, '')")
        await wire.heal()

        assert await count(metastore) == 0


async def test_nor_does_one_that_stops_reading_in_the_middle_of_a_long_statement(
    wire: TcpProxy, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a machine that does much else to take it all where nothing is in the way.
    monkeypatch.setattr("flowd.db.engine.STATEMENT_SECONDS", at_pace(2.0))
    more_than_the_network_takes = "x" * 15_000_000
    async with with_table(Metastore(through(wire, server_url), pool_size=1)) as metastore:
        await metastore.retrying(lambda: length(metastore, more_than_the_network_takes))
        async with asyncio.timeout(120):
            with pytest.raises(MetastoreUnavailable):
                async with metastore.transaction() as tx:
                    wire.blackhole()
                    await tx.execute("SELECT LENGTH(:value)", {"value": more_than_the_network_takes})
        await wire.heal()

        assert await count(metastore) == 0


async def length(metastore: Metastore, value: str) -> int:
    async with metastore.reading() as tx:
        return int((await tx.execute("SELECT LENGTH(:value)", {"value": value})).scalar_one())


async def test_the_loser_of_a_deadlock_may_try_again(server: Metastore) -> None:
    await write(server, 1)
    await write(server, 2)
    both = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> str:
        try:
            async with server.transaction() as tx:
                await tx.execute("UPDATE note SET body = '' WHERE id = :key", {"key": first})
                await both.wait()
                await tx.execute("UPDATE note SET body = '' WHERE id = :key", {"key": second})
        except MetastoreUnavailable as error:
            return str(error)
        return "committed"

    outcomes = sorted(await asyncio.gather(lock(1, 2), lock(2, 1)))

    assert outcomes[0] == "committed"
    assert "deadlock" in outcomes[1].lower()


async def test_a_lock_that_is_not_given_in_time_is_unavailable(server: Metastore) -> None:
    await write(server, 1)

    async with server.transaction() as holder:
        await holder.execute("UPDATE note SET body = 'held'")
        with pytest.raises(MetastoreUnavailable, match=r"(?i)lock.*time"):
            async with server.transaction() as waiter:
                await waiter.execute(
                    "SET innodb_lock_wait_timeout = 1" if is_mysql(server) else "SET LOCAL lock_timeout = '50ms'"
                )
                await waiter.execute("UPDATE note SET body = 'mine'")


async def test_a_statement_past_its_deadline_gives_up_its_connection(
    server_url: str, monkeypatch: pytest.MonkeyPatch, say: Say
) -> None:
    monkeypatch.setattr("flowd.db.engine.STATEMENT_SECONDS", 1.0)
    metastore = Metastore(server_url, pool_size=1)

    with pytest.raises(MetastoreUnavailable, match=r"(?i)time.?out"):
        async with metastore.transaction() as tx:
            await tx.execute(say(sleep(metastore, 20)))

    async with metastore.reading() as tx:
        assert (await tx.execute("SELECT 1")).scalar_one() == 1
    assert metastore.pooled_out == 0
    await metastore.close()


@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        ("postgresql", "flowd:hunter2@127.0.0.1:1/flowd"),
        ("postgresql", "nobody:hunter2@127.0.0.1:5432/no_such_database"),
        ("mysql", "flowd:hunter2@127.0.0.1:1/flowd"),
        ("mysql", "nobody:hunter2@127.0.0.1:3306/no_such_database"),
    ],
)
async def test_a_server_that_cannot_be_connected_to_is_named_without_its_password(scheme: str, name: str) -> None:
    metastore = Metastore(f"{scheme}://{name}")

    with pytest.raises(MetastoreUnavailable) as raised:
        await write(metastore, 1)

    await metastore.close()
    assert name.replace("hunter2", "***") in str(raised.value)


async def test_a_busy_sqlite_file_is_unavailable(sqlite: Metastore, tmp_path: Path) -> None:
    other = Metastore(f"sqlite:///{tmp_path}/new/folder/flowd.db")

    async with sqlite.transaction():
        with pytest.raises(MetastoreUnavailable, match="locked"):
            async with other.reading() as tx:
                await tx.execute("PRAGMA query_only = OFF")
                await tx.execute("PRAGMA busy_timeout = 10")
                await tx.execute("INSERT INTO note VALUES (1, '')")

    assert other.pooled_out == 0
    await other.close()


async def test_retrying_gives_up_after_its_tries(sqlite: Metastore) -> None:
    calls = 0

    async def lose() -> None:
        nonlocal calls
        calls += 1
        raise MetastoreUnavailable("lost against another transaction")

    with pytest.raises(MetastoreUnavailable, match="lost"):
        await sqlite.retrying(lose, tries=2)

    assert calls == 2


async def test_closing_twice_and_closing_unused_are_harmless(tmp_path: Path) -> None:
    metastore = Metastore(f"sqlite:///{tmp_path}/flowd.db")

    await metastore.close()
    await metastore.close()
