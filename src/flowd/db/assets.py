"""Assets: which are declared, who uses them, and what their events set off."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from flowd.db.asset_tables import asset_event, asset_use, asset_watcher
from flowd.db.insert_missing import insert_missing
from flowd.db.moments import to_db
from flowd.db.transaction import Transaction
from flowd.domain.asset_watch import watch_of
from flowd.domain.assets import AliasSpec, AssetNews, AssetSpec, leaves
from flowd.domain.dag_spec import DagSpec
from flowd.domain.errors import NotFound
from flowd.domain.ids import DagId, InstanceKey

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
    """What a task instance, or somebody from outside (None), says of an asset; of one `request` but one is written."""

    instance: InstanceKey | None
    news: AssetNews
    request: str | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """Who has made an event, and the partition that its run is about, as the metastore holds them."""

    dag_id: str | None
    task_id: str | None
    run_id: str | None
    map_index: int
    partition_key: str | None
    partition_date: int | None


_NOBODY = _Source(None, None, None, -1, None, None)


async def declare(tx: Transaction, specs: Sequence[DagSpec], now: datetime) -> None:
    """Write the assets of these DAGs and who uses them, in the place of what was written for them before."""
    keys = json.dumps([spec.dag_id for spec in specs])
    for table in ("asset_use", "asset_watcher"):
        await tx.execute(f"DELETE FROM {table} WHERE dag_id IN {tx.dialect.keys(type_='text')}", {"keys": keys})
    uses = [use for spec in specs for use in _uses(spec)]
    if not uses:
        return
    await _know([leaf for _, leaf in uses], tx, now)
    rows = [{**row, "name": leaf.name, "at": to_db(now)} for row, leaf in uses]
    await tx.execute(insert(asset_use), rows)
    watchers = [row for spec in specs for row in _watchers(spec, now)]
    if watchers:
        await tx.execute(insert(asset_watcher), watchers)


async def record(tx: Transaction, made: Sequence[Made], now: datetime) -> list[int]:
    """Write the events, and queue each for every DAG in service that is scheduled by its asset; return their ids.

    An event about a partition is for DAGs that are scheduled by partitions, and any other for all others.
    """
    if not made:
        return []
    await _know([one.news.asset for one in made], tx, now)
    ids = await ids_of(tx, {one.news.asset.name for one in made})
    members = {(ids[one.news.asset.name], one.news.alias) for one in made if one.news.alias is not None}
    await insert_missing(
        tx, "asset_alias_member", _MEMBER, [{"asset": asset, "alias": alias} for asset, alias in sorted(members)]
    )
    sources = await _sources(tx, [one.instance for one in made if one.instance is not None])
    events: list[int] = []
    for one in made:
        source = _NOBODY if one.instance is None else sources[one.instance]
        key = one.news.partition_key or source.partition_key
        values: dict[str, Any] = {
            "source_dag_id": source.dag_id,
            "source_task_id": source.task_id,
            "source_run_id": source.run_id,
            "source_map_index": source.map_index,
            "partition_key": key,
            # The run's moment is that of the run's key alone.
            "partition_date": source.partition_date if key == source.partition_key else None,
        }
        asset = ids[one.news.asset.name]
        values |= {
            "asset": asset, "alias": one.news.alias, "extra": json.dumps(dict(one.news.extra)), "at": to_db(now),
            "request": one.request,
        }  # fmt: skip
        result = await tx.execute(insert(asset_event).values(values))
        event = result.inserted_primary_key[0]  # type: ignore[index]
        events.append(event)
        await tx.execute(
            "INSERT INTO asset_event_queue (dag_id, event, asset, at)"
            " SELECT DISTINCT d.dag_id, e.id, e.asset, e.at FROM asset_event e JOIN asset a ON a.id = e.asset"
            " JOIN asset_use u ON u.is_partitioned = :is_partitioned"
            " AND ((u.kind = 'schedule' AND u.name = a.name) OR (u.kind = 'schedule_alias'"
            " AND u.name IN (SELECT m.alias FROM asset_alias_member m WHERE m.asset = a.id)))"
            " JOIN dag d ON d.dag_id = u.dag_id AND d.is_active AND NOT d.is_paused WHERE e.id = :event",
            {"event": event, "is_partitioned": key is not None},
        )
    return events


async def ids_of(tx: Transaction, names: Iterable[str]) -> dict[str, int]:
    """Return the ids of those of these assets that are known."""
    rows = await tx.execute(
        f"SELECT name, id FROM asset WHERE name IN {tx.dialect.keys(type_='text')}", {"keys": json.dumps(sorted(names))}
    )
    return {name: id_ for name, id_ in rows}


async def is_known(tx: Transaction, asset: int) -> bool:
    """Return whether there is an asset of this id."""
    return (await tx.execute("SELECT 1 FROM asset WHERE id = :asset", {"asset": asset})).first() is not None


async def spec_of(tx: Transaction, asset: int) -> AssetSpec | None:
    """Return the asset of this id as it was first declared; None for an unknown one."""
    row = (
        await tx.execute("SELECT name, uri, asset_group, extra FROM asset WHERE id = :asset", {"asset": asset})
    ).first()
    if row is None:
        return None
    name, uri, group, extra = row
    return AssetSpec(name=name, uri=uri, group=group, extra=json.loads(extra))


async def makers_of(tx: Transaction, asset: int) -> list[DagId]:
    """Return the DAGs in service that have a task with this asset as its outlet, by id."""
    rows = await tx.execute(
        "SELECT DISTINCT u.dag_id FROM asset a JOIN asset_use u ON u.name = a.name AND u.kind = :outlet"
        " JOIN dag d ON d.dag_id = u.dag_id AND d.is_active WHERE a.id = :asset ORDER BY u.dag_id",
        {"asset": asset, "outlet": OUTLET},
    )
    return [DagId(dag_id) for (dag_id,) in rows]


async def id_of(tx: Transaction, name: str) -> int:
    """Return the id of this asset; raise NotFound where no DAG has declared it."""
    found = await ids_of(tx, [name])
    if not found:
        raise NotFound(f"asset {name!r} is not known: no DAG has it as an inlet, an outlet or a schedule")
    return found[name]


def _uses(spec: DagSpec) -> list[tuple[dict[str, Any], AssetSpec | AliasSpec]]:
    found: dict[tuple[str | None, str, str], AssetSpec | AliasSpec] = {}
    for leaf in leaves(spec.assets) if spec.assets is not None else ():
        found[None, SCHEDULE if isinstance(leaf, AssetSpec) else SCHEDULE_ALIAS, leaf.name] = leaf
    for task in spec.tasks:
        for kind, given in ((OUTLET, task.outlets), (INLET, task.inlets)):
            found |= {(task.task_id, kind, leaf.name): leaf for leaf in given if isinstance(leaf, AssetSpec)}
            found |= {(task.task_id, f"{kind}_alias", leaf.name): leaf for leaf in given if isinstance(leaf, AliasSpec)}
    is_partitioned = spec.partitioning is not None
    return [
        ({"dag_id": spec.dag_id, "task_id": task_id, "kind": kind, "is_partitioned": is_partitioned}, leaf)
        for (task_id, kind, _), leaf in found.items()
    ]


def _watchers(spec: DagSpec, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "dag_id": spec.dag_id,
            "asset": one.asset,
            "name": one.name,
            "watch": watch_of(one.trigger),
            "classpath": one.trigger.classpath,
            "kwargs": json.dumps(dict(one.trigger.kwargs)),
            "file": one.trigger.file,
            "is_in_bundle": one.trigger.is_in_bundle,
            "at": to_db(now),
        }
        for one in spec.watchers
    ]


async def _know(given: Sequence[AssetSpec | AliasSpec], tx: Transaction, now: datetime) -> None:
    """Write the assets and aliases that the metastore has not yet, in the order of their names."""
    assets = {one.name: one for one in given if isinstance(one, AssetSpec)}
    aliases = {one.name: one for one in given if isinstance(one, AliasSpec)}
    known = await ids_of(tx, assets)
    await insert_missing(
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
    await insert_missing(
        tx, "asset_alias", _ALIAS, [{"name": name, "asset_group": one.group} for name, one in sorted(aliases.items())]
    )


async def _sources(tx: Transaction, instances: Sequence[InstanceKey]) -> dict[InstanceKey, _Source]:
    if not instances:
        return {}
    rows = await tx.execute(
        "SELECT t.id, t.dag_id, t.task_id, d.run_id, t.map_index, d.partition_key, d.partition_date"
        f" FROM task_instance t JOIN dag_run d ON d.id = t.run WHERE t.id IN {tx.dialect.keys()}",
        {"keys": json.dumps(sorted(instances))},
    )
    return {InstanceKey(id_): _Source(*source) for id_, *source in rows}
