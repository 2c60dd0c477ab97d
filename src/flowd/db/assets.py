"""Assets: which are declared, who uses them, and what their events set off."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from flowd.db.dialect import Kind
from flowd.db.ledger.read import as_json
from flowd.db.moments import to_db
from flowd.db.tables import asset_event, asset_use
from flowd.db.transaction import Transaction
from flowd.domain.assets import AliasSpec, AssetNews, AssetSpec, leaves
from flowd.domain.dag_spec import DagSpec
from flowd.domain.ids import InstanceKey

SCHEDULE, SCHEDULE_ALIAS, OUTLET, INLET = "schedule", "schedule_alias", "outlet", "inlet"
"""How a DAG may use an asset; by an alias it can only be scheduled."""

_ASSET = {
    "name": "text",
    "uri": "text",
    "asset_group": "text",
    "extra": "text",
    "created_at": "int",
    "updated_at": "int",
}
_ALIAS = {"name": "text", "asset_group": "text"}
_MEMBER = {"asset": "int", "alias": "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a task instance, or somebody from outside (None), says of an asset."""

    instance: InstanceKey | None
    news: AssetNews


async def declare(tx: Transaction, specs: Sequence[DagSpec], now: datetime) -> None:
    """Write the assets of these DAGs and who uses them, in the place of what was written for them before."""
    keys = json.dumps([spec.dag_id for spec in specs])
    await tx.execute(f"DELETE FROM asset_use WHERE dag_id IN {tx.dialect.keys(type_='text')}", {"keys": keys})
    uses = [use for spec in specs for use in _uses(spec)]
    if not uses:
        return
    await _know([leaf for _, leaf in uses], tx, now)
    rows = [{**row, "name": leaf.name, "at": to_db(now)} for row, leaf in uses]
    await tx.execute(insert(asset_use), rows)


async def record(tx: Transaction, made: Sequence[Made], now: datetime) -> list[int]:
    """Write the events, and queue each for every DAG in service that is scheduled by its asset; return their ids."""
    if not made:
        return []
    await _know([one.news.asset for one in made], tx, now)
    ids = await ids_of(tx, {one.news.asset.name for one in made})
    members = {(ids[one.news.asset.name], one.news.alias) for one in made if one.news.alias is not None}
    await _insert_missing(
        tx, "asset_alias_member", _MEMBER, [{"asset": asset, "alias": alias} for asset, alias in sorted(members)]
    )
    sources = await _sources(tx, [one.instance for one in made if one.instance is not None])
    events: list[int] = []
    for one in made:
        source = (None, None, None, -1) if one.instance is None else sources[one.instance]
        values = dict(
            zip(("source_dag_id", "source_task_id", "source_run_id", "source_map_index"), source, strict=True)
        )
        asset = ids[one.news.asset.name]
        values |= {
            "asset": asset, "alias": one.news.alias, "extra": json.dumps(dict(one.news.extra)), "at": to_db(now)
        }  # fmt: skip
        result = await tx.execute(insert(asset_event).values(values))
        event = result.inserted_primary_key[0]  # type: ignore[index]
        events.append(event)
        await tx.execute(
            "INSERT INTO asset_event_queue (dag_id, event, asset, at)"
            " SELECT DISTINCT d.dag_id, e.id, e.asset, e.at FROM asset_event e JOIN asset a ON a.id = e.asset"
            " JOIN asset_use u ON (u.kind = 'schedule' AND u.name = a.name) OR (u.kind = 'schedule_alias'"
            " AND u.name IN (SELECT m.alias FROM asset_alias_member m WHERE m.asset = a.id))"
            " JOIN dag d ON d.dag_id = u.dag_id AND d.is_active AND NOT d.is_paused WHERE e.id = :event",
            {"event": event},
        )
    return events


async def ids_of(tx: Transaction, names: Iterable[str]) -> dict[str, int]:
    """Return the ids of those of these assets that are known."""
    rows = await tx.execute(
        f"SELECT name, id FROM asset WHERE name IN {tx.dialect.keys(type_='text')}", {"keys": json.dumps(sorted(names))}
    )
    return {name: id_ for name, id_ in rows}


def _uses(spec: DagSpec) -> list[tuple[dict[str, Any], AssetSpec | AliasSpec]]:
    found: dict[tuple[str | None, str, str], AssetSpec | AliasSpec] = {}
    for leaf in leaves(spec.assets) if spec.assets is not None else ():
        found[None, SCHEDULE if isinstance(leaf, AssetSpec) else SCHEDULE_ALIAS, leaf.name] = leaf
    for task in spec.tasks:
        for kind, given in ((OUTLET, task.outlets), (INLET, task.inlets)):
            found |= {(task.task_id, kind, leaf.name): leaf for leaf in given if isinstance(leaf, AssetSpec)}
            found |= {(task.task_id, f"{kind}_alias", leaf.name): leaf for leaf in given if isinstance(leaf, AliasSpec)}
    return [
        ({"dag_id": spec.dag_id, "task_id": task_id, "kind": kind}, leaf) for (task_id, kind, _), leaf in found.items()
    ]


async def _know(given: Sequence[AssetSpec | AliasSpec], tx: Transaction, now: datetime) -> None:
    """Write the assets and aliases that the metastore has not yet, in the order of their names."""
    assets = {one.name: one for one in given if isinstance(one, AssetSpec)}
    aliases = {one.name: one for one in given if isinstance(one, AliasSpec)}
    known = await ids_of(tx, assets)
    await _insert_missing(
        tx,
        "asset",
        _ASSET,
        [
            {
                "name": name,
                "uri": one.uri,
                "asset_group": one.group,
                "extra": json.dumps(dict(one.extra)),
                "created_at": to_db(now),
                "updated_at": to_db(now),
            }
            for name, one in sorted(assets.items())
            if name not in known
        ],
    )
    await _insert_missing(
        tx, "asset_alias", _ALIAS, [{"name": name, "asset_group": one.group} for name, one in sorted(aliases.items())]
    )


async def _insert_missing(tx: Transaction, table: str, columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    names = ", ".join(columns)
    is_mysql = tx.dialect.kind is Kind.MYSQL
    await tx.execute(
        f"INSERT {'IGNORE ' if is_mysql else ''}INTO {table} ({names}) SELECT {names} FROM {tx.dialect.rows(columns)}"
        f" WHERE 1 = 1{'' if is_mysql else ' ON CONFLICT DO NOTHING'}",
        {"rows": as_json(list(rows))},
    )


async def _sources(tx: Transaction, instances: Sequence[InstanceKey]) -> dict[InstanceKey, tuple[str, str, str, int]]:
    if not instances:
        return {}
    rows = await tx.execute(
        "SELECT t.id, t.dag_id, t.task_id, d.run_id, t.map_index FROM task_instance t JOIN dag_run d ON d.id = t.run"
        f" WHERE t.id IN {tx.dialect.keys()}",
        {"keys": json.dumps(sorted(instances))},
    )
    return {InstanceKey(id_): (dag_id, task_id, run_id, map_index) for id_, dag_id, task_id, run_id, map_index in rows}
