"""Assets, aliases, their events and what is queued, as the API shows them."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, exists, select

from flowd.db.asset_tables import asset, asset_alias, asset_event, asset_use
from flowd.db.assets import INLET, OUTLET, SCHEDULE
from flowd.db.moments import from_db
from flowd.db.tables import dag
from flowd.db.transaction import Transaction
from flowd.db.views.listing import Field, FieldKind, Listing, OneOf, Order, View, count, page
from flowd.db.views.sight import hidden_dags
from flowd.domain.errors import NotFound

_LAST_EVENT = (
    select(asset_event.c.id)
    .where(asset_event.c.asset == asset.c.id)
    .order_by(asset_event.c.id.desc())
    .limit(1)
    .correlate(asset)
    .scalar_subquery()
)

ASSETS = View(
    columns=(*asset.columns, _LAST_EVENT.label("last_event")),
    source=asset,
    fields={
        "id": Field(asset.c.id, FieldKind.NUMBER),
        "name": Field(asset.c.name),
        "uri": Field(asset.c.uri),
        "group": Field(asset.c.asset_group),
        "created_at": Field(asset.c.created_at, FieldKind.MOMENT),
        "updated_at": Field(asset.c.updated_at, FieldKind.MOMENT),
    },
    key=asset.c.id,
    dag=None,
    order_by=(Order("id"),),
)
ALIASES = View(
    columns=tuple(asset_alias.columns),
    source=asset_alias,
    fields={
        "id": Field(asset_alias.c.id, FieldKind.NUMBER),
        "name": Field(asset_alias.c.name),
        "group": Field(asset_alias.c.asset_group),
    },
    key=asset_alias.c.id,
    dag=None,
    order_by=(Order("id"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasView:
    """A name for assets that are known only when a task has run."""

    id: int
    name: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """That a DAG, or a task of it, uses an asset, and since when this is known."""

    dag_id: str
    task_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WatcherView:
    """A trigger whose events are those of the asset, and since when this is known."""

    id: int
    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetView:
    """An asset, who uses it, and its last event; `uses` are by kind, as in `flowd.db.assets`."""

    id: int
    name: str
    uri: str
    group: str
    extra: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    uses: Mapping[str, Sequence[Use]] = field(default_factory=dict)
    aliases: Sequence[AliasView] = ()
    watchers: Sequence[WatcherView] = ()
    last_event: int | None = None
    last_event_at: datetime | None = None


async def list_assets(
    tx: Transaction, listing: Listing, *, only_active: bool = False, dag_ids: Sequence[str] = ()
) -> tuple[list[AssetView], int]:
    """Return a page of assets and how many there are; where asked for, those of DAGs in service, or of these DAGs."""
    also: list[ColumnElement[bool]] = []
    if only_active:
        also.append(_is_used(dag.c.is_active))
    if dag_ids:
        also.append(_is_used(asset_use.c.dag_id.in_(dag_ids)))
    rows = await page(tx, ASSETS, listing, *also)
    return await _assets(tx, rows), await count(tx, ASSETS, listing, *also)


async def get_asset(tx: Transaction, asset_id: int) -> AssetView:
    """Return the asset; raise NotFound for an unknown one."""
    found = await _assets(tx, await page(tx, ASSETS, Listing(conditions=(OneOf("id", (asset_id,)),))))
    if not found:
        raise NotFound(f"The Asset with ID: `{asset_id}` was not found")
    return found[0]


async def list_aliases(tx: Transaction, listing: Listing) -> tuple[list[AliasView], int]:
    """Return a page of aliases and how many there are."""
    return [_alias(row) for row in await page(tx, ALIASES, listing)], await count(tx, ALIASES, listing)


async def get_alias(tx: Transaction, alias_id: int) -> AliasView:
    """Return the alias; raise NotFound for an unknown one."""
    rows = await page(tx, ALIASES, Listing(conditions=(OneOf("id", (alias_id,)),)))
    if not rows:
        raise NotFound(f"The Asset Alias with ID: `{alias_id}` was not found")
    return _alias(rows[0])


def _is_used(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(
        select(asset_use.c.id)
        .join(dag, dag.c.dag_id == asset_use.c.dag_id)
        .where(asset_use.c.name == asset.c.name, asset_use.c.kind.in_((SCHEDULE, OUTLET, INLET)), condition)
        .correlate(asset)
    )


def _alias(row: RowMapping) -> AliasView:
    return AliasView(id=row["id"], name=row["name"], group=row["asset_group"])


async def _assets(tx: Transaction, rows: Sequence[RowMapping]) -> list[AssetView]:
    uses = await _uses(tx, [row["name"] for row in rows])
    aliases = await _aliases(tx, [row["id"] for row in rows])
    watchers = await _watchers(tx, [row["name"] for row in rows])
    ended = await _moments(tx, [row["last_event"] for row in rows if row["last_event"] is not None])
    return [
        AssetView(
            id=row["id"],
            name=row["name"],
            uri=row["uri"],
            group=row["asset_group"],
            extra=json.loads(row["extra"]),
            created_at=from_db(row["created_at"]),
            updated_at=from_db(row["updated_at"]),
            uses=uses[row["name"]],
            aliases=aliases[row["id"]],
            watchers=watchers[row["name"]],
            last_event=row["last_event"],
            last_event_at=ended.get(row["last_event"]),
        )
        for row in rows
    ]


async def _uses(tx: Transaction, names: Sequence[str]) -> dict[str, dict[str, list[Use]]]:
    found: dict[str, dict[str, list[Use]]] = defaultdict(lambda: defaultdict(list))
    if names:
        hidden = await hidden_dags(tx)
        rows = await tx.execute(
            "SELECT name, kind, dag_id, task_id, at FROM asset_use"
            f" WHERE name IN {tx.dialect.keys(type_='text')} ORDER BY dag_id, task_id",
            {"keys": json.dumps(list(names))},
        )
        for name, kind, dag_id, task_id, at in rows:
            if dag_id not in hidden:
                found[name][kind].append(Use(dag_id=dag_id, task_id=task_id, at=from_db(at)))
    return found


async def _aliases(tx: Transaction, assets: Sequence[int]) -> dict[int, list[AliasView]]:
    found: dict[int, list[AliasView]] = defaultdict(list)
    if assets:
        rows = await tx.execute(
            "SELECT m.asset, a.id, a.name, a.asset_group FROM asset_alias_member m"
            f" JOIN asset_alias a ON a.name = m.alias WHERE m.asset IN {tx.dialect.keys()} ORDER BY a.id",
            {"keys": json.dumps(list(assets))},
        )
        for asset_id, id_, name, group in rows:
            found[asset_id].append(AliasView(id=id_, name=name, group=group))
    return found


async def _watchers(tx: Transaction, names: Sequence[str]) -> dict[str, list[WatcherView]]:
    found: dict[str, list[WatcherView]] = defaultdict(list)
    if names:
        rows = await tx.execute(
            "SELECT asset, name, MIN(id) AS id, MIN(at) AS at FROM asset_watcher"
            f" WHERE asset IN {tx.dialect.keys(type_='text')} GROUP BY asset, name, watch ORDER BY id",
            {"keys": json.dumps(list(names))},
        )
        for asset_name, name, id_, at in rows:
            found[asset_name].append(WatcherView(id=id_, name=name, at=from_db(at)))
    return found


async def _moments(tx: Transaction, events: Sequence[int]) -> dict[int, datetime]:
    if not events:
        return {}
    rows = await tx.execute(
        f"SELECT id, at FROM asset_event WHERE id IN {tx.dialect.keys()}", {"keys": json.dumps(list(events))}
    )
    return {id_: from_db(at) for id_, at in rows}
