"""Bringing a database to the schema of this version, and away from it. The only module that imports alembic."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from flowd.db.metastore import Metastore
from flowd.db.revisions import HEAD, REVISIONS, SchemaState, SchemaStatus, current
from flowd.domain.errors import Conflict, InvalidInput

SCRIPTS = Path(__file__).with_name("migrations")
BASE = "base"
"""Alembic's name for a database without any of our tables."""


async def upgrade(metastore: Metastore) -> SchemaStatus:
    """Bring the schema to HEAD, in one transaction where the database can. Safe in several processes at once.

    Raises Conflict for a schema that is newer than this flowd, and for a database that is somebody else's.
    """
    status = await current(metastore)
    match status.state:
        case SchemaState.UP_TO_DATE:
            return status
        case SchemaState.AHEAD | SchemaState.FOREIGN:
            raise Conflict(str(status))
        case SchemaState.EMPTY | SchemaState.BEHIND:
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
        action(config)

    async with metastore.transaction() as tx:
        if lock := tx.dialect.migration_lock:
            await tx.execute(lock)
        await tx.connection.run_sync(run)
