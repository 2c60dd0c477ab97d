"""Metastores with the schema of this version, for the length of an `async with`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowd.db.metastore import Metastore
from flowd.db.tables import metadata


@asynccontextmanager
async def a_metastore(url: str) -> AsyncIterator[Metastore]:
    """The empty metastore at `url`; at the end no connection may be lent out."""
    metastore = Metastore(url, pool_size=4)
    try:
        async with metastore.transaction() as tx:
            await tx.connection.run_sync(metadata.create_all)
        yield metastore
        assert metastore.pooled_out == 0
    finally:
        await metastore.close()
