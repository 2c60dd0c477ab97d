"""PostgresWakeups: notes reach every listening node, coalesced, and a lost connection is opened again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from flowd.db import notify
from flowd.db.metastore import Metastore
from flowd.db.notify import MOST_NOTE_BYTES, PostgresWakeups
from tests.support.ledger_fixtures import OpenSite


@asynccontextmanager
async def listening(wakeups: PostgresWakeups, topic: str) -> AsyncIterator[AsyncIterator[frozenset[str]]]:
    """An ear on `topic` that is known to hear."""
    async with asyncio.TaskGroup() as group, wakeups.listen(topic) as notes:
        task = group.create_task(wakeups.run())
        await heard(wakeups, notes, "are you there")
        yield notes
        task.cancel()


async def heard(wakeups: PostgresWakeups, notes: AsyncIterator[frozenset[str]], call: str) -> None:
    """Call until the call is heard: nobody hears before the connection is up."""
    ear = asyncio.ensure_future(anext(notes))
    while not ear.done():
        await wakeups.notify("t", [call])
        await asyncio.wait([ear], timeout=0.05)


@pytest.fixture
def metastore(open_postgres_site: OpenSite) -> Metastore:
    return open_postgres_site().metastore


async def collect(notes: AsyncIterator[frozenset[str]], wanted: set[str]) -> set[str]:
    found: set[str] = set()
    async with asyncio.timeout(120):
        while not wanted <= found:
            found |= await anext(notes)
    return found - {"are you there"}


async def test_a_note_reaches_every_node_that_listens_to_its_topic(open_postgres_site: OpenSite) -> None:
    nodes = [PostgresWakeups(open_postgres_site().metastore) for _ in range(3)]
    async with AsyncExitStack() as stack:
        ears = [await stack.enter_async_context(listening(node, "t")) for node in nodes[:2]]

        await nodes[2].notify("another", ["nothing"])
        await nodes[2].notify("t", ["1", "2"])

        assert [await collect(ear, {"1", "2"}) for ear in ears] == [{"1", "2"}] * 2


async def test_what_comes_while_nobody_reads_is_read_together(metastore: Metastore) -> None:
    wakeups = PostgresWakeups(metastore)
    async with listening(wakeups, "t") as notes:
        for name in ("1", "2", "1"):
            await wakeups.notify("t", [name])

        assert await collect(notes, {"1", "2"}) == {"1", "2"}


async def test_names_of_any_number_and_length_all_arrive(metastore: Metastore) -> None:
    wakeups = PostgresWakeups(metastore)
    names = {f"queue {number} " + "é" * 240 for number in range(60)} | {str(number) for number in range(3_000)}
    assert len("".join(names)) > 2 * MOST_NOTE_BYTES
    async with listening(wakeups, "t") as notes:
        await wakeups.notify("t", sorted(names))

        assert await collect(notes, names) == names


async def test_nothing_is_said_where_there_is_nothing_to_say(metastore: Metastore) -> None:
    wakeups = PostgresWakeups(metastore)
    async with listening(wakeups, "t") as notes:
        await wakeups.notify("t", [])
        await wakeups.notify("t", ["last"])

        assert await collect(notes, {"last"}) == {"last"}


async def test_a_lost_connection_is_opened_again(metastore: Metastore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "RECONNECT_SECONDS", 0.01)
    wakeups = PostgresWakeups(metastore)
    async with listening(wakeups, "t") as notes:
        async with metastore.transaction() as tx:
            await tx.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )

        async with asyncio.timeout(120):
            await heard(wakeups, notes, "again")


async def test_a_metastore_that_is_away_raises_nothing() -> None:
    away = Metastore("postgresql://nobody@127.0.0.1:1/nowhere")

    await PostgresWakeups(away).notify("t", ["1"])

    await away.close()
