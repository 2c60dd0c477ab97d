"""Ending other connections to a metastore's database, as an administrator or a restart does."""

from flowd.db.dialect import Kind
from flowd.db.metastore import Metastore

_OTHERS = {
    Kind.POSTGRESQL: "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    Kind.MYSQL: "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
}
_END = {Kind.POSTGRESQL: "SELECT pg_terminate_backend({}, 5000)", Kind.MYSQL: "KILL {}"}


async def terminate_others(metastore: Metastore) -> None:
    """End every connection to the database but the one that this takes."""
    kind = metastore.dialect.kind
    async with metastore.transaction() as tx:
        for (connection,) in await tx.execute(_OTHERS[kind]):
            await tx.execute(_END[kind].format(connection))
