"""DAG versions as lists show them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, case, func, select

from flowd.db.moments import from_db
from flowd.db.tables import dag, dag_version
from flowd.db.transaction import Transaction
from flowd.db.views.listing import Field, FieldKind, Listing, OneOf, Order, View, count, page
from flowd.domain.errors import NotFound

BUNDLE_NAME = "dags-folder"
"""The name of what schedulers read from the DAG folder: Airflow's for its default bundle."""

VERSIONS = View(
    columns=(
        dag_version.c.id.label("version_key"),
        dag_version.c.dag_id,
        dag_version.c.number,
        dag_version.c.bundle.label("version_bundle"),
        dag_version.c.bundle_name.label("version_bundle_name"),
        dag_version.c.created_at.label("version_created_at"),
    ),
    source=dag_version,
    fields={
        "id": Field(dag_version.c.id, FieldKind.NUMBER),
        "dag_id": Field(dag_version.c.dag_id),
        "version_number": Field(dag_version.c.number, FieldKind.NUMBER),
        "bundle_name": Field(func.coalesce(dag_version.c.bundle_name, BUNDLE_NAME)),
        "bundle_version": Field(dag_version.c.bundle),
        "created_at": Field(dag_version.c.created_at, FieldKind.MOMENT),
    },
    key=dag_version.c.id,
    dag=dag_version.c.dag_id,
    order_by=(Order("id"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """A DAG version: `number` counts from 1 within its DAG, `bundle` is the hash of what it was first seen in."""

    key: int
    dag_id: str
    number: int
    bundle: str
    bundle_name: str
    created_at: datetime


def version_of(row: RowMapping) -> VersionView:
    """Return the version of a row that has the columns of VERSIONS."""
    return VersionView(
        key=row["version_key"],
        dag_id=row["dag_id"],
        number=row["number"],
        bundle=row["version_bundle"],
        bundle_name=row["version_bundle_name"] or BUNDLE_NAME,
        created_at=from_db(row["version_created_at"]),
    )


async def list_versions(tx: Transaction, listing: Listing) -> tuple[list[VersionView], int]:
    """Return a page of versions and how many there are."""
    rows = await page(tx, VERSIONS, listing)
    return [version_of(row) for row in rows], await count(tx, VERSIONS, listing)


async def get_version(tx: Transaction, dag_id: str, number: int | None = None) -> VersionView:
    """Return a version of the DAG, its current one by default; raise NotFound for an unknown DAG or number."""
    statement = select(*VERSIONS.columns, dag_version.c.id).select_from(
        dag_version.join(dag, dag.c.dag_id == dag_version.c.dag_id)
    )
    wanted: Any = dag.c.version if number is None else case((dag_version.c.number == number, dag_version.c.id))
    row = (await tx.execute(statement.where(dag.c.dag_id == dag_id, dag_version.c.id == wanted))).mappings().first()
    if row is None:
        which = "" if number is None else f" and version_number: `{number}`"
        raise NotFound(f"The Dag with ID: `{dag_id}`{which} was not found")
    return version_of(row)


def of_dag(dag_id: str) -> OneOf:
    """The condition that a row is of this DAG."""
    return OneOf("dag_id", (dag_id,))
