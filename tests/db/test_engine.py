"""Pools: connections that died in them, and files that cannot be made."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from flowd.db.metastore import Metastore
from flowd.domain.errors import MetastoreUnavailable


async def ask(metastore: Metastore) -> int:
    async with metastore.reading() as tx:
        return int((await tx.execute("SELECT 1")).scalar_one())


async def test_a_whole_pool_that_the_server_closed_costs_one_try(postgres_url: str) -> None:
    metastore, other = Metastore(postgres_url, pool_size=5), Metastore(postgres_url)
    async with AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(metastore.reading())

    async with other.transaction() as tx:
        await tx.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert await metastore.retrying(lambda: ask(metastore), tries=2) == 1
    assert await asyncio.gather(*(ask(metastore) for _ in range(5))) == [1] * 5
    assert metastore.pooled_out == 0
    await metastore.close()
    await other.close()


@pytest.mark.parametrize("path", ["/proc/flowd.db", "/dev/null/flowd.db", "/"])
def test_a_file_that_cannot_be_made_is_unavailable(path: str) -> None:
    with pytest.raises(MetastoreUnavailable, match="cannot be opened"):
        Metastore(f"sqlite:///{path}")
