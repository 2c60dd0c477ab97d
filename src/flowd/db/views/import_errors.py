"""Files of the DAG folder that could not be read."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, literal, select

from flowd.db.moments import from_db
from flowd.db.tables import dag, import_error
from flowd.db.transaction import Transaction
from flowd.db.views.listing import Field, FieldKind, Listing, OneOf, Order, View, count, page
from flowd.db.views.sight import is_seen
from flowd.db.views.versions import BUNDLE_NAME
from flowd.domain.errors import NotFound

IMPORT_ERRORS = View(
    columns=(import_error.c.id, import_error.c.file, import_error.c.message, import_error.c.at),
    source=import_error,
    fields={
        "id": Field(import_error.c.id, FieldKind.NUMBER),
        "import_error_id": Field(import_error.c.id, FieldKind.NUMBER),
        "filename": Field(import_error.c.file),
        "bundle_name": Field(literal(BUNDLE_NAME)),
        "timestamp": Field(import_error.c.at, FieldKind.MOMENT),
        "stacktrace": Field(import_error.c.message),
    },
    key=import_error.c.id,
    dag=None,
    order_by=(Order("id"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportErrorView:
    """Why a file gave no DAGs, and when that was found."""

    key: int
    file: str
    message: str
    at: datetime


async def list_import_errors(tx: Transaction, listing: Listing) -> tuple[list[ImportErrorView], int]:
    """Return a page of import errors and how many there are."""
    # A trace shows lines of the file: whoever may not see one of its DAGs is not shown it.
    seen = ~exists(
        select(dag.c.dag_id).where(
            dag.c.file == import_error.c.file, dag.c.bundle_name.is_(None), ~is_seen(tx, dag.c.dag_id)
        )
    )
    errors = [
        ImportErrorView(key=row["id"], file=row["file"], message=row["message"], at=from_db(row["at"]))
        for row in await page(tx, IMPORT_ERRORS, listing, seen)
    ]
    return errors, await count(tx, IMPORT_ERRORS, listing, seen)


async def get_import_error(tx: Transaction, key: int) -> ImportErrorView:
    """Return the import error; raise NotFound for an unknown one."""
    found, _ = await list_import_errors(tx, Listing(conditions=(OneOf("id", (key,)),)))
    if not found:
        raise NotFound(f"The ImportError with import_error_id: `{key}` was not found")
    return found[0]
