"""A metastore on this version's schema, on either database, from which no connection may be left out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from flowd.db.dialect import Kind
from flowd.db.metastore import Metastore
from flowd.db.migrate import upgrade
from tests.support.services import PostgresServer


@asynccontextmanager
async def migrated_metastore(kind: Kind, folder: Path, server: PostgresServer) -> AsyncIterator[Metastore]:
    """An SQLite file in `folder`, or a database of its own on the server."""
    async with AsyncExitStack() as stack:
        if kind is Kind.SQLITE:
            url = f"sqlite:///{folder}/flowd.db"
        else:
            url = await stack.enter_async_context(server.database())
        metastore = Metastore(url, pool_size=4)
        await upgrade(metastore)
        try:
            yield metastore
            assert metastore.pooled_out == 0
        finally:
            await metastore.close()
