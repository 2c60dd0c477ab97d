"""The graph of assets: who writes and who uses each, as far as the actor may see it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from flowd.db.assets import OUTLET, SCHEDULE
from flowd.db.transaction import Transaction
from flowd.db.views.sight import hidden_dags
from flowd.domain.asset_graph import AssetEdge, AssetGraph, AssetNode, NodeKind

_ALIAS = "_alias"


@dataclass(slots=True)
class AssetGraphView:
    """The graph, and what pages say of its nodes besides: the id and the group of assets, and which DAGs are paused.

    `unused` counts the assets that are not in it: no DAG in service that the actor may see uses them.
    """

    graph: AssetGraph = field(default_factory=AssetGraph)
    ids: dict[str, int] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    unused: int = 0


async def read_asset_graph(tx: Transaction) -> AssetGraphView:
    """Return all that DAGs in service declare, in the order of names."""
    hidden = await hidden_dags(tx)
    made = AssetGraphView()
    nodes: dict[AssetNode, None] = {}
    edges: dict[AssetEdge, bool] = {}

    def tie(source: AssetNode, target: AssetNode, *, is_by_events: bool) -> None:
        nodes[source] = nodes[target] = None
        edges[source, target] = edges.get((source, target), False) or is_by_events

    for dag_id, kind, name, is_paused in await tx.execute(
        "SELECT DISTINCT u.dag_id, u.kind, u.name, d.is_paused FROM asset_use u JOIN dag d ON d.dag_id = u.dag_id"
        " WHERE d.is_active ORDER BY u.name, u.dag_id, u.kind"
    ):
        if dag_id in hidden:
            continue
        dag = _node(NodeKind.DAG, dag_id)
        used = _node(NodeKind.ALIAS if kind.endswith(_ALIAS) else NodeKind.ASSET, name)
        how = kind.removesuffix(_ALIAS)
        tie(*((dag, used) if how == OUTLET else (used, dag)), is_by_events=how in (OUTLET, SCHEDULE))
        if is_paused:
            made.paused.add(dag_id)
    for dag_id, watch, watcher, name in await tx.execute(
        "SELECT w.dag_id, w.watch, w.name, w.asset FROM asset_watcher w JOIN dag d ON d.dag_id = w.dag_id"
        " WHERE d.is_active ORDER BY w.name, w.id"
    ):
        if dag_id not in hidden:
            # Equal ones are one trigger, whichever DAGs and assets name it.
            known = AssetNode(kind=NodeKind.WATCHER, name=f"{watch} {watcher}", label=watcher)
            tie(known, _node(NodeKind.ASSET, name), is_by_events=True)
    aliases = [node.name for node in nodes if node.kind is NodeKind.ALIAS]
    for alias, name in await _members(tx, aliases):
        tie(_node(NodeKind.ALIAS, alias), _node(NodeKind.ASSET, name), is_by_events=False)
    for id_, name, group in await tx.execute("SELECT id, name, asset_group FROM asset"):
        if _node(NodeKind.ASSET, name) in nodes:
            made.ids[name], made.groups[name] = id_, group
        else:
            made.unused += 1
    made.graph = AssetGraph(nodes=tuple(nodes), edges=edges)
    return made


def _node(kind: NodeKind, name: str) -> AssetNode:
    return AssetNode(kind=kind, name=name, label=name)


async def _members(tx: Transaction, aliases: Sequence[str]) -> Sequence[tuple[str, str]]:
    if not aliases:
        return []
    rows = await tx.execute(
        "SELECT m.alias, a.name FROM asset_alias_member m JOIN asset a ON a.id = m.asset"
        f" WHERE m.alias IN {tx.dialect.keys(type_='text')} ORDER BY a.name",
        {"keys": json.dumps(list(aliases))},
    )
    return [(alias, name) for alias, name in rows]
