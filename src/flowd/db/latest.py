"""The current version of a DAG: what a new run of it is pinned to."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from flowd.db.graphs import Graphs
from flowd.db.transaction import Transaction
from flowd.domain.errors import NotFound
from flowd.domain.graph import Graph
from flowd.domain.ids import BundleHash, DagId


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """A DAG's current version, the bundle it was last seen in, and its graph."""

    version: int
    bundle: BundleHash
    is_active: bool
    is_paused: bool
    graph: Graph


@dataclass(frozen=True, slots=True)
class Pin:
    """A DAG version, and the bundle with which a run of it begins."""

    version: int
    bundle: BundleHash


async def pins(tx: Transaction, dag_ids: Collection[DagId]) -> dict[DagId, Pin]:
    """Return the current version of those of these DAGs that are known, be their files there or gone."""
    rows = await tx.execute(
        f"SELECT dag_id, version, bundle FROM dag WHERE dag_id IN {tx.dialect.keys(type_='text')}",
        {"keys": json.dumps(sorted(dag_ids))},
    )
    return {DagId(dag_id): Pin(version, BundleHash(bundle)) for dag_id, version, bundle in rows}


async def latest(tx: Transaction, graphs: Graphs, dag_id: DagId) -> Latest:
    """Return the current version of the DAG; raise NotFound where no DAG of this id is known, or its file is gone."""
    row = (
        await tx.execute(
            "SELECT version, bundle, is_active, is_paused FROM dag WHERE dag_id = :dag_id", {"dag_id": dag_id}
        )
    ).first()
    if row is None:
        raise NotFound(f"The Dag with ID: `{dag_id}` was not found")
    version, bundle, is_active, is_paused = row
    if not is_active:
        raise NotFound(f"The Dag with ID: `{dag_id}` is no longer in the DAG folder: put its file back to run it")
    graph = (await graphs.get(tx, [version]))[version]
    return Latest(
        version=version,
        bundle=BundleHash(bundle),
        is_active=bool(is_active),
        is_paused=bool(is_paused),
        graph=graph,
    )
