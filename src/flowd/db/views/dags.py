"""DAGs as lists and pages show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, exists, func, or_, select

from flowd.db.asset_tables import asset, asset_use
from flowd.db.assets import SCHEDULE, SCHEDULE_ALIAS
from flowd.db.moments import from_db, to_db
from flowd.db.tables import dag, dag_favorite, dag_run, dag_version, import_error
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCard, DagCards
from flowd.db.views.listing import (
    Bounded,
    Field,
    FieldKind,
    Listing,
    OneOf,
    Order,
    View,
    begins_with,
    bounded,
    contains,
    count,
    page,
)
from flowd.db.views.sight import is_seen
from flowd.db.views.versions import BUNDLE_NAME, VERSIONS, VersionView, version_of
from flowd.domain.dag_access import DagAccess
from flowd.domain.errors import NotFound
from flowd.domain.states import RunState

_LAST_RUN = (
    select(dag_run.c.id)
    .where(dag_run.c.dag_id == dag.c.dag_id)
    .order_by(dag_run.c.run_after.desc())
    .limit(1)
    .correlate(dag)
    .scalar_subquery()
)
_LAST_STATE = select(dag_run.c.state).where(dag_run.c.id == _LAST_RUN).correlate(dag).scalar_subquery()
_LAST_START = select(dag_run.c.started_at).where(dag_run.c.id == _LAST_RUN).correlate(dag).scalar_subquery()
_HAS_ERROR = exists(
    select(import_error.c.id).where(import_error.c.file == dag.c.file, dag.c.bundle_name.is_(None)).correlate(dag)
)
_BY_ASSETS = exists(
    select(asset_use.c.id)
    .where(asset_use.c.dag_id == dag.c.dag_id, asset_use.c.kind.in_((SCHEDULE, SCHEDULE_ALIAS)))
    .correlate(dag)
)
_RUN_STATES = tuple(RunState)

DAGS = View(
    columns=(
        *(column for column in VERSIONS.columns if column.key != "dag_id"),
        dag.c.dag_id,
        dag.c.file,
        dag.c.bundle,
        dag.c.bundle_name,
        dag.c.is_paused,
        dag.c.is_active,
        dag.c.parsed_at,
        dag.c.parse_seconds,
        dag.c.next_run_after,
        dag.c.next_logical_date,
        dag.c.next_interval_start,
        dag.c.next_interval_end,
        _HAS_ERROR.label("has_import_errors"),
    ),
    source=dag.join(dag_version, dag_version.c.id == dag.c.version),
    fields={
        "dag_id": Field(dag.c.dag_id),
        "version": Field(dag.c.version, FieldKind.NUMBER),
        "paused": Field(dag.c.is_paused, FieldKind.FLAG),
        "is_paused": Field(dag.c.is_paused, FieldKind.FLAG),
        "is_active": Field(dag.c.is_active, FieldKind.FLAG),
        "has_import_errors": Field(_HAS_ERROR, FieldKind.FLAG),
        "has_asset_schedule": Field(_BY_ASSETS, FieldKind.FLAG),
        "bundle_name": Field(func.coalesce(dag.c.bundle_name, BUNDLE_NAME)),
        "bundle_version": Field(dag.c.bundle),
        "last_dag_run_state": Field(_LAST_STATE, choices=_RUN_STATES),
        "last_run_state": Field(_LAST_STATE, choices=_RUN_STATES),
        "last_run_start_date": Field(_LAST_START, FieldKind.MOMENT),
        "next_dagrun": Field(dag.c.next_run_after, FieldKind.MOMENT),
    },
    key=dag.c.dag_id,
    dag=dag.c.dag_id,
    order_by=(Order("dag_id"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DagView:
    """A DAG: what the metastore knows of it, its current version, and that version's card."""

    dag_id: str
    file: str
    bundle: str
    bundle_name: str
    is_paused: bool
    is_active: bool
    has_import_errors: bool
    parsed_at: datetime
    parse_seconds: float
    next_run_after: datetime | None
    next_logical_date: datetime | None
    next_interval_start: datetime | None
    next_interval_end: datetime | None
    version: VersionView
    card: DagCard


@dataclass(frozen=True, slots=True, kw_only=True)
class DagFilter:
    """Filters that a list of DAGs has beyond its fields; each that is empty lets all pass."""

    tags: tuple[str, ...] = ()
    are_all_tags_wanted: bool = False
    owners: tuple[str, ...] = ()
    display_name: str | None = None
    display_prefix: str | None = None
    timetable_types: tuple[str, ...] = ()
    run_states: tuple[str, ...] = ()
    run_bounds: tuple[Bounded, ...] = ()
    """On `start_date` and `end_date` of one run of the DAG."""
    asset_dependency: str | None = None
    is_favorite_of: str | None = None
    is_favorite: bool | None = None

    @property
    def reads_cards(self) -> bool:
        """True where a DAG's spec decides."""
        return bool(self.tags or self.owners or self.display_name or self.display_prefix or self.timetable_types)

    def admits(self, card: DagCard) -> bool:
        """Return whether a DAG with this card is wanted."""
        return (
            self._has_tags(card)
            and (not self.owners or not set(self.owners).isdisjoint(card.owners))
            and (not self.timetable_types or card.timetable_type in self.timetable_types)
            and (not self.display_name or _matches(self.display_name, card.display_name))
            and (not self.display_prefix or _begins(self.display_prefix, card.display_name))
        )

    def _has_tags(self, card: DagCard) -> bool:
        wanted = set(self.tags)
        if not wanted:
            return True
        return wanted <= set(card.tags) if self.are_all_tags_wanted else not wanted.isdisjoint(card.tags)


async def list_dags(
    tx: Transaction, cards: DagCards, listing: Listing, wanted: DagFilter | None = None
) -> tuple[list[DagView], int]:
    """Return a page of DAGs and how many there are."""
    wanted = wanted or DagFilter()
    if wanted.reads_cards:
        admitted = [key for key, card in (await cards.of_current_versions(tx)).items() if wanted.admits(card)]
        listing = listing.where(OneOf("version", tuple(admitted)))
    also = _conditions(wanted)
    rows = await page(tx, DAGS, listing, *also)
    return await _dags(tx, cards, rows), await count(tx, DAGS, listing, *also)


async def get_dag(tx: Transaction, cards: DagCards, dag_id: str) -> DagView:
    """Return the DAG; raise NotFound for an unknown one."""
    rows = await page(tx, DAGS, Listing(conditions=(OneOf("dag_id", (dag_id,)),)))
    if not rows:
        raise NotFound(f"The Dag with ID: `{dag_id}` was not found")
    return (await _dags(tx, cards, rows))[0]


async def access_of(tx: Transaction, cards: DagCards, dag_id: str) -> DagAccess | None:
    """Return whom the DAG lets see and change it, None for everyone; raise NotFound for one that may not be seen."""
    statement = select(dag.c.version, dag.c.is_restricted).where(dag.c.dag_id == dag_id, is_seen(tx, dag.c.dag_id))
    row = (await tx.execute(statement)).first()
    if row is None:
        raise NotFound(f"The Dag with ID: `{dag_id}` was not found")
    return (await cards.get(tx, [row.version]))[row.version].access if row.is_restricted else None


async def names_beginning(tx: Transaction, prefix: str, *, most: int) -> tuple[str, ...] | None:
    """Return the DAGs whose ids begin so, those that may be seen; None where there are more than `most`."""
    names = select(dag.c.dag_id).where(begins_with(dag.c.dag_id, prefix), is_seen(tx, dag.c.dag_id)).limit(most + 1)
    found = tuple((await tx.execute(names)).scalars())
    return found if len(found) <= most else None


async def active_runs_of(tx: Transaction, dag_id: str) -> int:
    """Return how many runs of the DAG are queued or running."""
    live = (RunState.QUEUED.value, RunState.RUNNING.value)
    statement = select(func.count()).where(dag_run.c.dag_id == dag_id, dag_run.c.state.in_(live))
    return int((await tx.execute(statement)).scalar_one())


async def list_tags(tx: Transaction, cards: DagCards) -> list[str]:
    """Return every tag that the current version of some DAG has, in order."""
    return sorted({tag for card in (await cards.of_current_versions(tx)).values() for tag in card.tags})


async def dag_ids_of(tx: Transaction, cards: DagCards, wanted: DagFilter) -> list[str]:
    """Return the DAGs whose current version's card is wanted."""
    rows = list(await tx.execute("SELECT dag_id, version FROM dag"))
    by_version = await cards.get(tx, [version for _, version in rows])
    return [dag_id for dag_id, version in rows if wanted.admits(by_version[version])]


def _conditions(wanted: DagFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.run_states or wanted.run_bounds:
        found.append(_has_run(wanted.run_states, wanted.run_bounds))
    if wanted.asset_dependency:
        found.append(_depends_on(wanted.asset_dependency))
    if wanted.is_favorite is not None:
        mine = exists(
            select(dag_favorite.c.dag_id)
            .where(dag_favorite.c.dag_id == dag.c.dag_id, dag_favorite.c.username == wanted.is_favorite_of)
            .correlate(dag)
        )
        found.append(mine if wanted.is_favorite else ~mine)
    return found


def _has_run(states: Sequence[str], bounds: Sequence[Bounded]) -> ColumnElement[bool]:
    of_dag = select(dag_run.c.id).where(dag_run.c.dag_id == dag.c.dag_id)
    if states:
        of_dag = of_dag.where(dag_run.c.state.in_(states))
    for bound in bounds:
        column = {"start_date": dag_run.c.started_at, "end_date": dag_run.c.ended_at}[bound.field]
        assert isinstance(bound.value, datetime)
        of_dag = of_dag.where(bounded(column, bound.comparison, to_db(bound.value)))
    return exists(of_dag.correlate(dag))


def _depends_on(pattern: str) -> ColumnElement[bool]:
    return exists(
        select(asset_use.c.id)
        .join(asset, asset.c.name == asset_use.c.name)
        .where(
            asset_use.c.dag_id == dag.c.dag_id,
            asset_use.c.kind == SCHEDULE,
            or_(contains(asset.c.name, pattern), contains(asset.c.uri, pattern)),
        )
        .correlate(dag)
    )


def _begins(prefix: str, text: str) -> bool:
    return prefix == "~" or text.startswith(tuple(prefix.split("|")))


def _matches(pattern: str, text: str) -> bool:
    parts = pattern.lower().split("|")
    return "~" in parts or any(part.replace("%", "") in text.lower() for part in parts)


async def _dags(tx: Transaction, cards: DagCards, rows: Sequence[RowMapping]) -> list[DagView]:
    by_version = await cards.get(tx, {row["version_key"] for row in rows})
    return [
        DagView(
            dag_id=row["dag_id"],
            file=row["file"],
            bundle=row["bundle"],
            bundle_name=row["bundle_name"] or BUNDLE_NAME,
            is_paused=bool(row["is_paused"]),
            is_active=bool(row["is_active"]),
            has_import_errors=bool(row["has_import_errors"]),
            parsed_at=from_db(row["parsed_at"]),
            parse_seconds=row["parse_seconds"],
            next_run_after=from_db(row["next_run_after"]),
            next_logical_date=from_db(row["next_logical_date"]),
            next_interval_start=from_db(row["next_interval_start"]),
            next_interval_end=from_db(row["next_interval_end"]),
            version=version_of(row),
            card=by_version[row["version_key"]],
        )
        for row in rows
    ]
