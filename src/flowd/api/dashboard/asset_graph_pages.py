"""The graph of all assets: what makes them, and the DAGs that they set off or that read them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flowd.api.context import Context
from flowd.api.dashboard.graph_pages import NEIGHBOURS, ZOOMS
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.layered_layout import Box, Drawing, Edge, arranged, boxed
from flowd.api.dashboard.pages import picture, render
from flowd.api.dashboard.words import plural, segment
from flowd.db.views.asset_graph import AssetGraphView, read_asset_graph
from flowd.domain.asset_graph import AssetGraph, AssetNode, NodeKind

router = APIRouter(prefix="/assets", route_class=PageRoute, include_in_schema=False)

MOST_BOXES = 300
"""More are no picture any more, and slow to lay out; what is left out is told, and is found by its name."""

_WORDS = {
    NodeKind.ASSET: ("asset", "assets"),
    NodeKind.ALIAS: ("alias", "aliases"),
    NodeKind.DAG: ("DAG", "DAGs"),
    NodeKind.WATCHER: ("watcher", "watchers"),
}
_MISSING = {
    NodeKind.ASSET: "No DAG in service uses an asset {!r}.",
    NodeKind.DAG: "There is no DAG {!r} in service that uses assets.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of the graph is asked for; the same values are in the page's URL."""

    asset: str = ""
    dag: str = ""
    side: str = NEIGHBOURS[0]
    zoom: int = 100

    def query(self, **changes: Any) -> str:
        """Return the query of the same page with these changes; what is as by itself is left out."""
        values: dict[str, Any] = {"asset": self.asset, "dag": self.dag, "side": self.side, "zoom": self.zoom} | changes
        usual: dict[str, Any] = {"asset": "", "dag": "", "side": NEIGHBOURS[0], "zoom": 100}
        return urlencode({name: value for name, value in values.items() if value != usual[name]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A box with what it says and where clicks on it lead; an alias and a watcher have no page.

    One that `is_asked` for is what the others are around.
    """

    box: Box[AssetNode]
    words: str
    place: str | None
    is_asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An edge; `is_by_events` says that events go along it."""

    edge: Edge[AssetNode]
    is_by_events: bool


@router.get("/graph")
async def asset_graph_page(
    request: Request,
    context: Context,
    asset: str = "",
    dag: str = "",
    side: str = NEIGHBOURS[0],
    zoom: int = 100,
    format: str = "",
) -> Response:
    """Show the assets that DAGs in service use, or those around one asset or one DAG."""
    asked = Asked(
        asset=asset,
        dag=dag,
        side=side if side in NEIGHBOURS else NEIGHBOURS[0],
        zoom=zoom if zoom in ZOOMS else 100,
    )
    async with context.backends.metastore.reading() as tx:
        view = await read_asset_graph(tx)
    wanted, missing = _wanted(view.graph, asked)
    shown = wanted.first(MOST_BOXES)
    drawing = drawing_of(shown)
    values: dict[str, Any] = {
        "drawing": drawing,
        "shapes": [_shape(box, view, asked) for box in drawing.boxes],
        "lines": [Line(edge=edge, is_by_events=shown.edges[edge.source, edge.target]) for edge in drawing.edges],
        "asked": asked,
    }
    if format == "svg":
        return picture(request, "asset_graph_file.svg", "assets", values)
    return render(
        request,
        "asset_graph.html",
        zooms=ZOOMS,
        sides=NEIGHBOURS,
        missing=missing,
        left_out=_left_out(wanted, shown),
        unused=view.unused,
        names=_names(view.graph),
        **values,
    )


def drawing_of(graph: AssetGraph) -> Drawing[AssetNode]:
    """Return the drawing of a graph, from what makes assets on the left to what uses them on the right."""
    number_of = {node: number for number, node in enumerate(graph.nodes)}
    boxes = [boxed(node, len(node.label)) for node in graph.nodes]
    return arranged(boxes, [(number_of[source], number_of[target]) for source, target in graph.edges])


def _wanted(graph: AssetGraph, asked: Asked) -> tuple[AssetGraph, list[str]]:
    """Return the part that is asked for, and what of the names that are asked for is not there."""
    named = [(kind, name) for kind, name in ((NodeKind.ASSET, asked.asset), (NodeKind.DAG, asked.dag)) if name]
    if not named:
        return graph, []
    found = [node for kind, name in named if (node := graph.find(kind, name))]
    missing = [_MISSING[kind].format(name) for kind, name in named if not graph.find(kind, name)]
    around = graph.around(found, upstream=asked.side != "downstream", downstream=asked.side != "upstream")
    return around, missing


def _left_out(wanted: AssetGraph, shown: AssetGraph) -> list[str]:
    left_out = Counter(node.kind for node in set(wanted.nodes) - set(shown.nodes))
    return [plural(left_out[kind], *_WORDS[kind]) for kind in NodeKind if left_out[kind]]


def _names(graph: AssetGraph) -> Mapping[NodeKind, list[str]]:
    return {kind: [node.name for node in graph.nodes if node.kind is kind] for kind in NodeKind}


def _shape(box: Box[AssetNode], view: AssetGraphView, asked: Asked) -> Shape:
    node = box.node
    match node.kind:
        case NodeKind.ASSET:
            group = view.groups[node.name]
            words = "asset" if group == "asset" else f"asset in {group}"
            place = f"/assets/{view.ids[node.name]}"
            return Shape(box=box, words=words, place=place, is_asked=node.name == asked.asset)
        case NodeKind.DAG:
            words = "DAG, paused" if node.name in view.paused else "DAG"
            place = f"/dags/{segment(node.name)}"
            return Shape(box=box, words=words, place=place, is_asked=node.name == asked.dag)
        case NodeKind.ALIAS | NodeKind.WATCHER:
            return Shape(box=box, words=node.kind.value, place=None)
