"""Fixtures for what stands on the ledger: sites on each database, each with an empty metastore to itself."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from flowd.db.dialect import Kind
from flowd.db.metastore import Metastore
from flowd.db.migrate import upgrade
from flowd.db.tables import metadata, pool
from tests.support.ledger_site import LedgerSite
from tests.support.services import MariadbServer, PostgresServer

OpenSite = Callable[..., LedgerSite]
"""`open_site(**fields)`: another node on the same metastore, with connections of its own."""


_URLS = {
    Kind.SQLITE: "sqlite_url",
    Kind.POSTGRESQL: "migrated_postgres_url",
    Kind.MYSQL: "migrated_mariadb_url",
}
_EMPTYING = (
    *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables) if table is not pool),
    "DELETE FROM pool WHERE name <> 'default_pool'",
    "UPDATE pool SET slots = 128, include_deferred = FALSE",
)


async def _migrate(url: str) -> None:
    metastore = Metastore(url)
    await upgrade(metastore)
    await metastore.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with this version's schema, to be copied."""
    file = tmp_path_factory.mktemp("template") / "flowd.db"
    asyncio.run(_migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def migrated_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a PostgreSQL database with this version's schema, which the tests of a session share in turn."""
    with asyncio.Runner() as runner:
        database = postgres_server.database()
        url = runner.run(database.__aenter__())
        try:
            runner.run(_migrate(url))
            yield url
        finally:
            runner.run(database.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def migrated_mariadb_database(mariadb_server: MariadbServer) -> Iterator[str]:
    """The URL of a MariaDB database with this version's schema, which the tests of a session share in turn."""
    with asyncio.Runner() as runner:
        database = mariadb_server.database()
        url = runner.run(database.__aenter__())
        try:
            runner.run(_migrate(url))
            yield url
        finally:
            runner.run(database.__aexit__(None, None, None))


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """The URL of an SQLite metastore of one's own."""
    shutil.copy(migrated_file, tmp_path / "flowd.db")
    return f"sqlite:///{tmp_path}/flowd.db"


@pytest.fixture
async def migrated_postgres_url(migrated_database: str) -> AsyncIterator[str]:
    """The URL of an empty PostgreSQL metastore: emptied afterwards, for to drop and make a database takes a second."""
    yield migrated_database
    connection = await asyncpg.connect(migrated_database)
    try:
        for statement in _EMPTYING:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def migrated_mariadb_url(migrated_mariadb_database: str, mariadb_server: MariadbServer) -> AsyncIterator[str]:
    """The URL of an empty MariaDB metastore, emptied afterwards."""
    yield migrated_mariadb_database
    await mariadb_server.execute(*_EMPTYING, database=urlsplit(migrated_mariadb_database).path.lstrip("/"))


@pytest.fixture(params=list(Kind))
def metastore_url(request: pytest.FixtureRequest) -> str:
    """The URL of a metastore of one's own, on each database in turn."""
    url: str = request.getfixturevalue(_URLS[request.param])
    return url


@pytest.fixture
async def metastore(metastore_url: str) -> AsyncIterator[Metastore]:
    """An empty metastore, on each database in turn; at the end no connection may be left out."""
    metastore = Metastore(metastore_url, pool_size=4)
    yield metastore
    await _close(metastore)


@pytest.fixture
async def sqlite_metastore(sqlite_url: str) -> AsyncIterator[Metastore]:
    """The same on SQLite only."""
    metastore = Metastore(sqlite_url)
    yield metastore
    await _close(metastore)


@pytest.fixture
async def open_site(metastore_url: str) -> AsyncIterator[OpenSite]:
    """Opens sites on one metastore; at the end no connection may be left out."""
    async with _sites(metastore_url) as opened:
        yield opened


@pytest.fixture
async def open_postgres_site(migrated_postgres_url: str) -> AsyncIterator[OpenSite]:
    """The same on PostgreSQL only: for races, which SQLite's one writer does not know."""
    async with _sites(migrated_postgres_url) as opened:
        yield opened


@pytest.fixture(params=[Kind.POSTGRESQL, Kind.MYSQL])
def migrated_server_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty metastore on each server in turn."""
    url: str = request.getfixturevalue(_URLS[request.param])
    return url


@pytest.fixture
async def open_server_site(migrated_server_url: str) -> AsyncIterator[OpenSite]:
    """Opens sites on each server: for races, which SQLite's one writer does not know."""
    async with _sites(migrated_server_url) as opened:
        yield opened


@pytest.fixture
async def open_sqlite_site(sqlite_url: str) -> AsyncIterator[OpenSite]:
    """The same on SQLite only: for rules that no database has a say in."""
    async with _sites(sqlite_url) as opened:
        yield opened


@pytest.fixture
def site(open_site: OpenSite) -> LedgerSite:
    """One node, on each database in turn."""
    return open_site()


class _sites:
    def __init__(self, url: str) -> None:
        self._url = url
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> OpenSite:
        return self._open

    async def __aexit__(self, *error: Any) -> None:
        await self._stack.aclose()

    def _open(self, **fields: Any) -> LedgerSite:
        metastore = Metastore(self._url, pool_size=5)
        self._stack.push_async_callback(_close, metastore)
        return LedgerSite(metastore, **fields)


async def _close(metastore: Metastore) -> None:
    lent_out = metastore.pooled_out
    await metastore.close()
    assert lent_out == 0
