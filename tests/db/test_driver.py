"""The drivers: one transaction each, with the same rows, counts and errors, whichever database it is."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from flowd.db.driver import Driver
from flowd.db.metastore import Metastore

TABLE = "CREATE TABLE note (id BIGINT PRIMARY KEY, body TEXT, is_read BOOLEAN, packed {bytes})"
INSERT = "INSERT INTO note (id, body, is_read, packed) VALUES (:id, :body, :is_read, :packed)"


@pytest.fixture(params=["sqlite_url", "sqlite_url, brief", "postgres_url", "mariadb_url"])
def way(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """The URL of a database of one's own, of each kind in turn, and whether its transactions are brief."""
    name, _, brief = request.param.partition(", ")
    return request.getfixturevalue(name), bool(brief)


@pytest.fixture
async def driver(way: tuple[str, bool]) -> AsyncIterator[Driver]:
    """A driver inside a transaction, with a table `note`."""
    url, is_brief = way
    metastore = Metastore(url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(metastore.close)
        driver = (await stack.enter_async_context(metastore.transaction(is_brief=is_brief)))._driver
        await driver.execute(TABLE.format(bytes="BYTEA" if url.startswith("postgresql") else "BLOB"), {})
        await driver.commit()  # as MySQL has done with the table already
        await driver.begin(is_reading=False, is_brief=is_brief)
        yield driver
        await driver.rollback()
        assert driver.is_clean
        await driver.begin(is_reading=False)  # for the end of the context


async def put(driver: Driver, id_: int, **values: Any) -> int:
    return (await driver.execute(INSERT, {"id": id_, "body": None, "is_read": False, "packed": b""} | values)).rowcount


async def test_a_row_is_a_tuple_and_answers_to_its_names(driver: Driver) -> None:
    await put(driver, 2**62, body="é", is_read=True, packed=b"\0\xff")

    rows = await driver.execute("SELECT id, body, is_read, packed FROM note", {})

    assert rows.one() == (2**62, "é", True, b"\0\xff")
    row = rows.mappings().one()
    assert [row[name] for name in ("packed", "is_read", "body", "id")] == [b"\0\xff", True, "é", 2**62]
    assert list(row.keys()) == ["id", "body", "is_read", "packed"]


async def test_a_change_says_how_many_rows_it_touched(driver: Driver) -> None:
    assert [await put(driver, id_) for id_ in (1, 2, 3)] == [1, 1, 1]

    copied = await driver.execute("INSERT INTO note (id) SELECT id + :more FROM note WHERE id > 1", {"more": 10})
    changed = await driver.execute("UPDATE note SET body = 'x' WHERE id < :most", {"most": 3})
    missed = await driver.execute("DELETE FROM note WHERE id = :id", {"id": 99})
    deleted = await driver.execute("DELETE FROM note WHERE id >= :least RETURNING id", {"least": 12})

    assert [one.rowcount for one in (copied, changed, missed)] == [2, 2, 0]
    assert sorted(deleted) == [(12,), (13,)]


async def test_an_empty_answer_is_empty(driver: Driver) -> None:
    found = await driver.execute("SELECT id FROM note", {})

    assert (list(found), found.first()) == ([], None)


async def test_what_the_database_refuses_is_told_as_sqlalchemy_tells_it(driver: Driver) -> None:
    await put(driver, 1)
    await driver.execute("SAVEPOINT earlier", {})

    with pytest.raises(IntegrityError) as taken:
        await put(driver, 1)
    await driver.execute("ROLLBACK TO SAVEPOINT earlier", {})
    with pytest.raises((OperationalError, ProgrammingError)) as unknown:
        await driver.execute("SELECT * FROM nothing", {})

    assert isinstance(taken.value, DBAPIError) and "INSERT INTO note" in str(taken.value)
    assert "nothing" in str(unknown.value) and driver.is_answered


async def test_a_rollback_takes_back_what_was_not_committed(driver: Driver) -> None:
    await put(driver, 1)
    await driver.commit()
    await driver.begin(is_reading=False)
    await put(driver, 2)

    await driver.rollback()

    await driver.begin(is_reading=True)
    assert list(await driver.execute("SELECT id FROM note", {})) == [(1,)]
