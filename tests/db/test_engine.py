"""Pools: connections that died in them, and files that cannot be made."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from flowd.db.metastore import Metastore
from flowd.domain.errors import MetastoreUnavailable
from tests.support.terminating import terminate_others


async def ask(metastore: Metastore) -> int:
    async with metastore.reading() as tx:
        return int((await tx.execute("SELECT 1")).scalar_one())


@pytest.fixture(params=["postgres_url", "mariadb_url"])
def server_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database on each server in turn."""
    url: str = request.getfixturevalue(request.param)
    return url


async def test_a_whole_pool_that_the_server_closed_costs_one_try(server_url: str) -> None:
    metastore, other = Metastore(server_url, pool_size=5), Metastore(server_url)
    async with AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(metastore.reading())

    await terminate_others(other)

    assert await metastore.retrying(lambda: ask(metastore), tries=2) == 1
    assert await asyncio.gather(*(ask(metastore) for _ in range(5))) == [1] * 5
    assert metastore.pooled_out == 0
    await metastore.close()
    await other.close()


@pytest.mark.parametrize("path", ["/proc/flowd.db", "/dev/null/flowd.db", "/"])
def test_a_file_that_cannot_be_made_is_unavailable(path: str) -> None:
    with pytest.raises(MetastoreUnavailable, match="cannot be opened"):
        Metastore(f"sqlite:///{path}")
