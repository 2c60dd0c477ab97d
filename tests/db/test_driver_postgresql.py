"""Statements that PostgreSQL keeps prepared: as long as they are good for something, and not too many."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError, ProgrammingError

from flowd.db.metastore import Metastore
from flowd.domain.errors import MetastoreUnavailable


@pytest.fixture
async def metastore(postgres_url: str) -> AsyncIterator[Metastore]:
    made = Metastore(postgres_url, pool_size=2)
    async with made.transaction() as tx:
        await tx.execute("CREATE TABLE note (id INTEGER PRIMARY KEY)")
        await tx.execute("INSERT INTO note VALUES (1)")
    yield made
    assert made.pooled_out == 0
    await made.close()


async def read(metastore: Metastore) -> list[tuple[int, ...]]:
    async with metastore.reading() as tx:
        return list(await tx.execute("SELECT * FROM note"))


async def test_a_statement_over_a_table_that_changed_is_unavailable_once_and_then_prepared_anew(
    metastore: Metastore,
) -> None:
    await read(metastore)
    async with metastore.transaction() as tx:
        await tx.execute("ALTER TABLE note ADD COLUMN more INTEGER DEFAULT 7")

    with pytest.raises(MetastoreUnavailable, match="cached"):
        await read(metastore)

    assert await read(metastore) == [(1, 7)]


async def test_no_more_statements_are_kept_prepared_than_there_is_room_for(
    metastore: Metastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowd.db.driver_postgresql.MOST_PREPARED", 3)

    async with metastore.transaction() as tx:
        for _ in range(2):
            for number in range(9):
                assert (await tx.execute(f"SELECT {number} + CAST(:x AS int)", {"x": 1})).scalar_one() == number + 1
        prepared = await tx.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT _ + CAST%'")

    assert 1 <= len(list(prepared)) <= 3


async def test_a_transaction_that_passed_over_an_error_is_not_taken_for_written(metastore: Metastore) -> None:
    with pytest.raises(InvalidRequestError, match="nothing was written"):
        async with metastore.transaction() as tx:
            await tx.execute("INSERT INTO note VALUES (2)")
            with pytest.raises(ProgrammingError):
                await tx.execute("SELECT * FROM nothing")

    assert await read(metastore) == [(1,)]


async def test_texts_are_planned_for_their_indexes_and_what_sqlalchemy_builds_by_statistics(
    metastore: Metastore,
) -> None:
    asked = "SELECT current_setting('enable_seqscan'), current_setting('plan_cache_mode')"

    async with metastore.reading() as tx:
        written = (await tx.execute(asked)).one()
        built = (await tx.execute(text(asked))).one()
    async with metastore.reading() as tx:
        next_written = (await tx.execute(asked)).one()

    assert tuple(written) == tuple(next_written) == ("off", "force_generic_plan")
    assert tuple(built) == ("on", "force_custom_plan")


@pytest.mark.parametrize(("seconds", "is_kept"), [(1_000.0, True), (-1.0, False)])
async def test_a_plan_that_was_made_for_a_smaller_table_is_not_used_for_long(
    metastore: Metastore, monkeypatch: pytest.MonkeyPatch, seconds: float, is_kept: bool
) -> None:
    monkeypatch.setattr("flowd.db.driver_postgresql.PLANNED_FOR_SECONDS", seconds)
    asked = text("SELECT MAX(prepare_time) FROM pg_prepared_statements WHERE statement = 'SELECT id FROM note'")

    async with metastore.transaction() as tx:
        await tx.execute("SELECT id FROM note")
        first = (await tx.execute(asked)).scalar_one()
        await tx.execute("SELECT id FROM note")
        second = (await tx.execute(asked)).scalar_one()

    assert (second == first) is is_kept
