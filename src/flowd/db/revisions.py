"""The schema's revisions, oldest first, and where a database stands among them. Alembic is not needed to tell."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, inspect, text

from flowd.db.metastore import Metastore
from flowd.db.tables import metadata

REVISIONS = ("0001",)
HEAD = REVISIONS[-1]
VERSION_TABLE = "alembic_version"


class SchemaState(StrEnum):
    """How a database's schema relates to the one this version of flowd works with."""

    UP_TO_DATE = "up_to_date"
    EMPTY = "empty"
    BEHIND = "behind"
    AHEAD = "ahead"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """The revision that was found (None where there is none), the one wanted, and what that means."""

    found: str | None
    wanted: str
    state: SchemaState

    def __str__(self) -> str:
        match self.state:
            case SchemaState.UP_TO_DATE:
                return f"the metastore's schema is up to date ({self.found})"
            case SchemaState.EMPTY:
                return f"the metastore is empty, and {self.wanted} is wanted; run `flowd db migrate`"
            case SchemaState.BEHIND:
                return f"the metastore's schema is {self.found}, and {self.wanted} is wanted; run `flowd db migrate`"
            case SchemaState.AHEAD:
                return (
                    f"the metastore's schema is {self.found}, newer than {self.wanted}, the newest this flowd knows;"
                    " install the flowd that migrated it"
                )
            case SchemaState.FOREIGN:
                return (
                    f"the database holds tables that flowd did not make (revision {self.found or 'none'}); give flowd a"
                    " database of its own with FLOWD__DATABASE__URL"
                )


async def current(metastore: Metastore) -> SchemaStatus:
    """Return where the metastore's schema stands; raise MetastoreUnavailable where it does not answer."""
    async with metastore.reading() as tx:
        return await tx.connection.run_sync(_status)


def _status(connection: Connection) -> SchemaStatus:
    tables = set(inspect(connection).get_table_names())
    found: list[str] = []
    if VERSION_TABLE in tables:
        found = [row[0] for row in connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}"))]
    are_ours_there = not tables.isdisjoint(metadata.tables)
    return SchemaStatus(",".join(found) or None, HEAD, _state(found, are_ours_there=are_ours_there))


def _state(found: list[str], *, are_ours_there: bool) -> SchemaState:
    match found:
        case []:
            return SchemaState.FOREIGN if are_ours_there else SchemaState.EMPTY
        case [revision] if revision == HEAD:
            return SchemaState.UP_TO_DATE
        case [revision] if revision in REVISIONS:
            return SchemaState.BEHIND
        case [revision] if len(revision) == len(HEAD) and revision.isdecimal() and revision > HEAD:
            return SchemaState.AHEAD
        case _:
            return SchemaState.FOREIGN
