"""AssetGraph: what writes which asset, and what is set off by it or reads it, over all DAGs."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class NodeKind(StrEnum):
    """What a node of the graph is."""

    ASSET = "asset"
    ALIAS = "alias"
    DAG = "DAG"
    WATCHER = "watcher"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetNode:
    """An asset, an alias, a DAG or a watcher. `name` is unique within its kind; `label` is what people call it."""

    kind: NodeKind
    name: str
    label: str


AssetEdge = tuple[AssetNode, AssetNode]
"""From what comes first: from who writes an asset to it, and from the asset to who is set off by it, or reads it."""


@dataclass(frozen=True, slots=True)
class AssetGraph:
    """The nodes, in the order in which they were given, and the edges: True for those by which events go.

    By the others none goes: a DAG only reads an asset, or an alias has stood for it.
    """

    nodes: tuple[AssetNode, ...] = ()
    edges: Mapping[AssetEdge, bool] = field(default_factory=dict)

    def find(self, kind: NodeKind, name: str) -> AssetNode | None:
        """Return the node of this kind and name, None where there is none."""
        return next((node for node in self.nodes if node.kind is kind and node.name == name), None)

    def around(self, seeds: Iterable[AssetNode], *, upstream: bool, downstream: bool) -> "AssetGraph":
        """Return the part that these nodes hang on, and the part that hangs on them, as far as it is asked for."""
        chosen = set(seeds)
        found = set(chosen)
        for is_wanted, neighbours in ((upstream, self._sources()), (downstream, self._targets())):
            if is_wanted:
                found |= set(_reached(chosen, neighbours))
        return self._only(found)

    def first(self, most: int) -> "AssetGraph":
        """Return so many nodes that hang together, from the one with the most neighbours on."""
        if len(self.nodes) <= most:
            return self
        sources, targets = self._sources(), self._targets()
        beside = {node: (*sources[node], *targets[node]) for node in self.nodes}
        chosen: dict[AssetNode, None] = {}
        for start in sorted(self.nodes, key=lambda node: -len(beside[node])):
            if start not in chosen:
                chosen |= dict.fromkeys(_reached([start], beside))
            if len(chosen) >= most:
                break
        return self._only(set(list(chosen)[:most]))

    def _only(self, chosen: Collection[AssetNode]) -> "AssetGraph":
        return AssetGraph(
            nodes=tuple(node for node in self.nodes if node in chosen),
            edges={ends: goes for ends, goes in self.edges.items() if ends[0] in chosen and ends[1] in chosen},
        )

    def _sources(self) -> Mapping[AssetNode, list[AssetNode]]:
        found: dict[AssetNode, list[AssetNode]] = {node: [] for node in self.nodes}
        for source, target in self.edges:
            found[target].append(source)
        return found

    def _targets(self) -> Mapping[AssetNode, list[AssetNode]]:
        found: dict[AssetNode, list[AssetNode]] = {node: [] for node in self.nodes}
        for source, target in self.edges:
            found[source].append(target)
        return found


def _reached(starts: Iterable[AssetNode], neighbours: Mapping[AssetNode, Collection[AssetNode]]) -> Iterator[AssetNode]:
    """Yield these nodes and all that they lead to, the nearest first, each once."""
    seen = set(starts)
    waiting = deque(seen)
    while waiting:
        node = waiting.popleft()
        yield node
        for one in neighbours[node]:
            if one not in seen:
                seen.add(one)
                waiting.append(one)
