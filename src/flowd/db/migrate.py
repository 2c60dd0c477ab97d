"""Bringing a database to the schema of this version, and away from it. The only module that imports alembic."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from flowd.db.dialect import NO_PAD, Kind
from flowd.db.metastore import Metastore
from flowd.db.revisions import HEAD, REVISIONS, SchemaState, SchemaStatus, current, status_of
from flowd.db.tables import metadata
from flowd.db.transaction import Transaction
from flowd.domain.errors import Conflict, InvalidInput, MetastoreUnavailable

SCRIPTS = Path(__file__).with_name("migrations")
BASE = "base"
"""Alembic's name for a database without any of our tables."""

LOCK_SECONDS = 20
"""How long one process waits for another to migrate, where the database does not just queue them."""


async def upgrade(metastore: Metastore) -> SchemaStatus:
    """Bring the schema to HEAD, in one transaction where the database can. Safe in several processes at once.

    Where it cannot (MySQL), a first upgrade that was cut off begins anew. Raises Conflict for a schema that is newer
    than this flowd, for a database that is somebody else's, and for one that has lost tables.
    """
    status = await current(metastore)
    match status.state:
        case SchemaState.UP_TO_DATE:
            return status
        case SchemaState.AHEAD | SchemaState.FOREIGN:
            raise Conflict(str(status))
        case SchemaState.CUT_OFF if status.found is not None:
            raise Conflict(str(status))
        case SchemaState.EMPTY | SchemaState.BEHIND | SchemaState.CUT_OFF:
            await _run(metastore, lambda config: command.upgrade(config, HEAD))
            return await current(metastore)


async def downgrade(metastore: Metastore, revision: str) -> SchemaStatus:
    """Take the schema back to `revision`, or to "base": all tables and what is in them are gone then."""
    if revision != BASE and revision not in REVISIONS:
        raise InvalidInput(f"{revision!r} is no revision; wanted one of {', '.join((BASE, *REVISIONS))}")
    status = await current(metastore)
    if status.state in (SchemaState.AHEAD, SchemaState.FOREIGN):
        raise Conflict(str(status))
    if status.state is not SchemaState.EMPTY:
        await _run(metastore, lambda config: command.downgrade(config, revision))
    return await current(metastore)


async def reset(metastore: Metastore) -> SchemaStatus:
    """Drop all of flowd's tables and make them anew, empty; raise Conflict for a database that is somebody else's."""
    await downgrade(metastore, BASE)
    return await upgrade(metastore)


async def _run(metastore: Metastore, action: Callable[[Config], None]) -> None:
    """Run an alembic command over a connection of the metastore, one process at a time."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))

    def run(connection: Connection) -> None:
        config.attributes["connection"] = connection
        if connection.dialect.name == "mysql":
            prepare_mysql(connection)
        action(config)

    async with metastore.transaction() as tx, alone(tx):
        await tx.connection.run_sync(run)


@asynccontextmanager
async def alone(tx: Transaction) -> AsyncIterator[None]:
    """Let one process migrate at a time."""
    match tx.dialect.kind:
        case Kind.SQLITE:
            yield  # a write transaction is alone
        case Kind.POSTGRESQL:
            await tx.execute("SELECT pg_advisory_xact_lock(7235419)")
            yield
        case Kind.MYSQL:
            # Of the session: MySQL commits with every CREATE TABLE, which would free a lock of the transaction.
            name = "CONCAT('flowd ', MD5(DATABASE()))"
            if not (await tx.execute(f"SELECT GET_LOCK({name}, {LOCK_SECONDS})")).scalar():
                raise MetastoreUnavailable(f"another process has been migrating the metastore for {LOCK_SECONDS} s")
            try:
                yield
            finally:
                with suppress(DBAPIError):  # a connection that broke has lost the lock with it
                    await tx.execute(f"DO RELEASE_LOCK({name})")


def prepare_mysql(connection: Connection) -> None:
    """Let the tables that are made next tell `a` from `A` and from `a `; and drop what a cut-off first upgrade left."""
    collation = NO_PAD["mariadb" if getattr(connection.dialect, "is_mariadb", False) else "mysql"]
    connection.exec_driver_sql(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {collation}")
    status = status_of(connection)
    if status.state is SchemaState.CUT_OFF and status.found is None:
        # Nothing is in them but the default pool: no node starts before the upgrade is done.
        metadata.drop_all(connection)
