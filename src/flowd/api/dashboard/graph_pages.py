"""The graph of a DAG, and of one of its runs: groups fold, neighbours can be picked out, the picture can be saved."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.dag_frame import in_dag_frame
from flowd.api.dashboard.drawing_cache import DrawingCache
from flowd.api.dashboard.graph_layout import TaskBox, TaskDrawing, tasks_of
from flowd.api.dashboard.grid import NONE, open_groups_of
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import picture
from flowd.api.dashboard.run_frame import in_run_frame
from flowd.api.dashboard.words import segment
from flowd.db.views.dags import access_of, get_dag
from flowd.db.views.grid import TaskCounts, states_by_task
from flowd.db.views.recent import runs_before
from flowd.db.views.runs import get_run
from flowd.domain.graph import Graph
from flowd.domain.ids import TaskId
from flowd.domain.loudest_state import loudest_state
from flowd.domain.task_tree import GroupNode, groups_of, task_tree

router = APIRouter(prefix="/dags/{dag_id}", route_class=PageRoute, include_in_schema=False)

ZOOMS = (50, 75, 100, 150)
NEIGHBOURS = ("both", "upstream", "downstream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A box with what it says of a run: its loudest state, how much is in each, and where clicks on it lead."""

    box: TaskBox
    state: str | None
    words: str
    place: str
    toggled: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of a graph is asked for; the same values are in the page's URL."""

    open: str = ""
    task: str = ""
    side: str = NEIGHBOURS[0]
    zoom: int = 100

    def query(self, **changes: Any) -> str:
        """Return the query of the same page with these changes; what is as by itself is left out."""
        values: dict[str, Any] = {"open": self.open, "task": self.task, "side": self.side, "zoom": self.zoom} | changes
        usual: dict[str, Any] = {"open": "", "task": "", "side": NEIGHBOURS[0], "zoom": 100}
        return urlencode({name: value for name, value in values.items() if value != usual[name]})


@router.get("/graph")
async def graph_page(
    request: Request,
    context: Context,
    dag_id: str,
    open: str = "",
    task: str = "",
    side: str = NEIGHBOURS[0],
    zoom: int = 100,
    format: str = "",
) -> Response:
    """Show the tasks of a DAG as a graph, in the states of its last run."""
    asked = _asked(open, task, side, zoom)
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        runs = await runs_before(tx, dag_id, most=1)
        states = (await states_by_task(tx, [run.key for run in runs])).get(runs[0].key, {}) if runs else {}
    root = f"/dags/{segment(dag_id)}"
    run_root = f"{root}/runs/{segment(runs[0].run_id)}" if runs else root
    values = await _values(request, context, dag.version.key, asked, states, run_root)
    if format == "svg":
        return picture(request, "graph_file.svg", dag_id, values)
    return in_dag_frame(request, "dag_graph.html", dag, tab="/graph", run=runs[0] if runs else None, **values)


@router.get("/runs/{run_id}/graph")
async def run_graph_page(
    request: Request,
    context: Context,
    dag_id: str,
    run_id: str,
    open: str = "",
    task: str = "",
    side: str = NEIGHBOURS[0],
    zoom: int = 100,
    format: str = "",
) -> Response:
    """Show the graph of a run, as its version of the DAG has it."""
    asked = _asked(open, task, side, zoom)
    async with context.backends.metastore.reading() as tx:
        run = await get_run(tx, context.cards, dag_id, run_id)
        states = (await states_by_task(tx, [run.key]))[run.key]
        access = await access_of(tx, context.cards, dag_id)
    values = await _values(
        request, context, run.version.key, asked, states, f"/dags/{segment(dag_id)}/runs/{segment(run_id)}"
    )
    if format == "svg":
        return picture(request, "graph_file.svg", f"{dag_id}.{run_id}", values)
    return in_run_frame(request, "run_graph.html", run, access, tab="/graph", **values)


def _asked(open: str, task: str, side: str, zoom: int) -> Asked:
    return Asked(
        open=open,
        task=task,
        side=side if side in NEIGHBOURS else NEIGHBOURS[0],
        zoom=zoom if zoom in ZOOMS else 100,
    )


async def _values(
    request: Request, context: ApiContext, version: int, asked: Asked, states: TaskCounts, run_root: str
) -> dict[str, Any]:
    async with context.backends.metastore.reading() as tx:
        graph = (await context.backends.graphs.get(tx, [version]))[version]
    tree = task_tree(graph)
    open_groups = open_groups_of(tree, asked.open)
    cache: DrawingCache = request.app.state.drawings
    drawing = cache.get(version, graph, open_groups, _chosen(graph, asked))
    return {
        "drawing": drawing,
        "shapes": shapes_of(drawing, states, open_groups, run_root),
        "asked": asked,
        "zooms": ZOOMS,
        "sides": NEIGHBOURS,
        "tasks": sorted(graph.tasks),
        "has_groups": any(True for _ in groups_of(tree)),
        "is_all_open": {group.group_id for group in groups_of(tree)} == open_groups,
    }


def _chosen(graph: Graph, asked: Asked) -> set[TaskId] | None:
    """Return the tasks to be shown: the one that is asked for and its neighbours; None for all."""
    if asked.task not in graph.tasks:
        return None
    task_id = TaskId(asked.task)
    chosen = {task_id}
    if asked.side != "downstream":
        chosen |= graph.ancestors([task_id])
    if asked.side != "upstream":
        chosen |= graph.descendants([task_id])
    return chosen


def shapes_of(drawing: TaskDrawing, states: TaskCounts, open_groups: Collection[str], run_root: str) -> list[Shape]:
    """Return what is drawn in each box."""
    return [_shape(box, states, open_groups, run_root) for box in drawing.boxes]


def _shape(box: TaskBox, states: TaskCounts, open_groups: Collection[str], run_root: str) -> Shape:
    counts: dict[str, int] = {}
    for task_id in tasks_of(box.node):
        for name, number in states.get(task_id, {}).items():
            counts[name] = counts.get(name, 0) + number
    state = loudest_state(counts)
    toggled, place = None, run_root
    if isinstance(box.node, GroupNode):
        toggled = ",".join(sorted(set(open_groups) ^ {box.node.group_id})) or NONE
    else:
        place = f"{run_root}/tasks/{segment(box.node.task_id)}"
    return Shape(box=box, state=state.value if state else None, words=_in_words(counts), place=place, toggled=toggled)


def _in_words(counts: Mapping[str, int]) -> str:
    if sum(counts.values()) == 1:
        return next(iter(counts))
    return ", ".join(f"{number} {state}" for state, number in sorted(counts.items(), key=lambda one: -one[1]))
