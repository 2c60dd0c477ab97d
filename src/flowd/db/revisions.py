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
    CUT_OFF = "cut_off"
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
            case SchemaState.CUT_OFF if self.found is None:
                return (
                    f"the migration of the metastore to {self.wanted} was cut off; run `flowd db migrate`, which begins"
                    " it anew"
                )
            case SchemaState.CUT_OFF:
                return (
                    f"the metastore's schema is {self.found}, but tables of it are missing; restore a backup, or run"
                    " `flowd db reset`, which deletes everything"
                )
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
        return await tx.connection.run_sync(status_of)


def status_of(connection: Connection) -> SchemaStatus:
    """Return where the schema stands that this connection sees."""
    tables = set(inspect(connection).get_table_names())
    found: list[str] = []
    if VERSION_TABLE in tables:
        found = [row[0] for row in connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}"))]
    return SchemaStatus(",".join(found) or None, HEAD, _state(found, tables))


def _state(found: list[str], tables: set[str]) -> SchemaState:
    ours = tables & metadata.tables.keys()
    match found:
        case [] if not ours:
            return SchemaState.EMPTY
        case []:
            # Alembic makes its table first and writes the revision last, and where it cannot roll back, ours are left
            # in between.
            is_cut_off = tables == ours | {VERSION_TABLE}
            return SchemaState.CUT_OFF if is_cut_off else SchemaState.FOREIGN
        case [revision] if revision == HEAD:
            return SchemaState.UP_TO_DATE if len(ours) == len(metadata.tables) else SchemaState.CUT_OFF
        case [revision] if revision in REVISIONS:
            return SchemaState.BEHIND
        case [revision] if len(revision) == len(HEAD) and revision.isdecimal() and revision > HEAD:
            return SchemaState.AHEAD
        case _:
            return SchemaState.FOREIGN
