"""Layout of a DAG's graph: where each task and group is drawn, and along which points each edge goes.

Each group is laid out by itself and then is one box in the group that it is in, so that nothing lies across another.
Columns and the order in them are those of Sugiyama's method.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fast_sugiyama import from_edges

from flowd.domain.graph import Graph
from flowd.domain.ids import TaskId
from flowd.domain.task_tree import GroupNode, TaskLeaf

Point = tuple[float, float]

HEIGHT = 36.0
LETTER = 7.2
NARROWEST, WIDEST = 90.0, 280.0
BESIDE, BETWEEN = 14.0, 46.0
"""Between two boxes of one column, and between two columns."""
PASSING = 10.0
"""The height that an edge takes in a column that it only passes through."""
MARGIN, TITLE = 12.0, 22.0
TALLEST_STACK = 420.0
"""Parts that nothing ties together stand below one another, up to this height in one column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A task or a group, open or folded, and the rectangle it is drawn in."""

    node: TaskLeaf | GroupNode
    x: float
    y: float
    width: float
    height: float
    is_open: bool = False

    @property
    def tasks(self) -> tuple[TaskId, ...]:
        """The tasks that the box stands for."""
        return self.node.tasks if isinstance(self.node, GroupNode) else (self.node.task_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An edge from the end of one box to the beginning of another, through `points`."""

    points: tuple[Point, ...]

    @property
    def path(self) -> str:
        """The edge as the data of an SVG path: curved from point to point, level at each of them."""
        (x, y), *rest = self.points
        steps = [f"M{x:.1f} {y:.1f}"]
        for to_x, to_y in rest:
            middle = (x + to_x) / 2
            steps.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}")
            x, y = to_x, to_y
        return "".join(steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Boxes, those of groups before what is in them, and edges; all within `width` and `height`."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float

    def moved(self, x: float, y: float) -> "Drawing":
        """Return the same further right and down."""
        return Drawing(
            boxes=tuple(replace(box, x=box.x + x, y=box.y + y) for box in self.boxes),
            edges=tuple(replace(edge, points=tuple((a + x, b + y) for a, b in edge.points)) for edge in self.edges),
            width=self.width,
            height=self.height,
        )


def drawing_of(
    graph: Graph, tree: GroupNode, open_groups: Collection[str], *, only: Collection[TaskId] | None = None
) -> Drawing:
    """Return the drawing of the tasks in `tree`, from left to right; of some `only`, where they are given."""
    edges = [
        (upstream, task_id)
        for task_id, task in graph.tasks.items()
        for upstream in task.upstream
        if only is None or (task_id in only and upstream in only)
    ]
    return _group(tree, edges, frozenset(open_groups), only)


def _group(
    group: GroupNode,
    edges: Sequence[tuple[TaskId, TaskId]],
    open_groups: frozenset[str],
    only: Collection[TaskId] | None,
) -> Drawing:
    children = [child for child in group.children if only is None or any(one in only for one in _tasks(child))]
    child_of = {task_id: number for number, child in enumerate(children) for task_id in _tasks(child)}
    inner: dict[int, list[tuple[TaskId, TaskId]]] = defaultdict(list)
    between: dict[tuple[int, int], None] = {}
    for edge in edges:
        source, target = child_of[edge[0]], child_of[edge[1]]
        if source == target:
            inner[source].append(edge)
        else:
            between[source, target] = None
    drawn = [_child(child, inner[number], open_groups, only) for number, child in enumerate(children)]
    return _arranged(drawn, list(between))


def _child(
    child: TaskLeaf | GroupNode,
    edges: Sequence[tuple[TaskId, TaskId]],
    open_groups: frozenset[str],
    only: Collection[TaskId] | None,
) -> Drawing:
    if isinstance(child, TaskLeaf) or child.group_id not in open_groups:
        extra = 4 if isinstance(child, GroupNode) else 0
        width = min(max(NARROWEST, (len(child.label) + extra) * LETTER + 26), WIDEST)
        box = Box(node=child, x=0, y=0, width=width, height=HEIGHT)
        return Drawing(boxes=(box,), edges=(), width=width, height=HEIGHT)
    inside = _group(child, edges, open_groups, only)
    width = max(inside.width, len(child.label) * LETTER) + 2 * MARGIN
    height = inside.height + TITLE + 2 * MARGIN - 6
    frame = Box(node=child, x=0, y=0, width=width, height=height, is_open=True)
    within = inside.moved((width - inside.width) / 2, TITLE + MARGIN - 4)
    return Drawing(boxes=(frame, *within.boxes), edges=within.edges, width=width, height=height)


def _arranged(drawn: Sequence[Drawing], edges: Sequence[tuple[int, int]]) -> Drawing:
    """Put the parts into columns and draw the edges between them; what is tied to nothing comes below."""
    boxes: list[Box] = []
    lines: list[Edge] = []
    top = right = 0.0
    parts = list(_tied(edges)) if edges else []
    for ranks, chains in parts:
        placed, width, height = _columns(ranks, drawn)
        for number, (x, y, _, _) in placed.items():
            if isinstance(number, str):
                part = drawn[int(number)].moved(x, y + top)
                boxes += part.boxes
                lines += part.edges
        lines += [Edge(points=_through(chain, placed, top)) for chain in chains]
        right, top = max(right, width), top + height + BESIDE
    tied = {number for edge in edges for number in edge}
    alone = [part for number, part in enumerate(drawn) if number not in tied]
    bottom = max(0.0, top - BESIDE)
    x, y, wide = 0.0, top, 0.0
    for part in alone:
        if y > top and y + part.height > top + TALLEST_STACK:
            x, y, wide = x + wide + BESIDE, top, 0.0
        moved = part.moved(x, y)
        boxes += moved.boxes
        lines += moved.edges
        y, wide = y + part.height + BESIDE, max(wide, part.width)
        right, bottom = max(right, x + part.width), max(bottom, y - BESIDE)
    return Drawing(boxes=tuple(boxes), edges=tuple(lines), width=right, height=bottom)


_Key = str | int
"""A part by its number as text, or the place where an edge passes through a column."""


def _tied(edges: Sequence[tuple[int, int]]) -> Iterable[tuple[list[list[_Key]], list[list[_Key]]]]:
    """Give for each part of the graph that hangs together its columns in order, and each edge as a chain."""
    named = [(str(source), str(target)) for source, target in edges]
    for found, _, _, steps in from_edges(named, dummy_vertices=True):
        columns: dict[float, list[tuple[float, _Key]]] = defaultdict(list)
        for key, (across, along) in found:
            columns[along].append((across, key))
        ranks = [
            [key for _, key in sorted(columns[along], key=lambda one: one[0])]
            for along in sorted(columns, reverse=True)
        ]
        yield ranks, _chains(steps or ())


def _chains(steps: Iterable[tuple[_Key, _Key]]) -> list[list[_Key]]:
    following: dict[_Key, list[_Key]] = defaultdict(list)
    for source, target in steps:
        following[source].append(target)
    chains: list[list[_Key]] = []
    for source in [key for key in following if isinstance(key, str)]:
        for target in following[source]:
            chain = [source, target]
            while not isinstance(chain[-1], str):
                chain.append(following[chain[-1]][0])
            chains.append(chain)
    return chains


def _columns(
    ranks: Sequence[Sequence[_Key]], drawn: Sequence[Drawing]
) -> tuple[dict[_Key, tuple[float, float, float, float]], float, float]:
    """Return x, y, width and height of each key, and those of all together: columns are centred on one line."""

    def height_of(key: _Key) -> float:
        return drawn[int(key)].height if isinstance(key, str) else PASSING

    def width_of(key: _Key) -> float:
        return drawn[int(key)].width if isinstance(key, str) else 0.0

    heights = [sum(map(height_of, column)) + BESIDE * (len(column) - 1) for column in ranks]
    tallest = max(heights)
    placed: dict[_Key, tuple[float, float, float, float]] = {}
    x = 0.0
    for column, height in zip(ranks, heights, strict=True):
        wide = max(map(width_of, column))
        y = (tallest - height) / 2
        for key in column:
            own = width_of(key) or wide
            placed[key] = (x + (wide - own) / 2, y, own, height_of(key))
            y += height_of(key) + BESIDE
        x += wide + BETWEEN
    return placed, x - BETWEEN, tallest


def _through(
    chain: Sequence[_Key], placed: Mapping[_Key, tuple[float, float, float, float]], top: float
) -> tuple[Point, ...]:
    points: list[Point] = []
    for place, key in enumerate(chain):
        x, y, width, height = placed[key]
        middle = top + y + height / 2
        if place:
            points.append((x, middle))
        if place < len(chain) - 1:
            points.append((x + width, middle))
    return tuple(points)


def _tasks(child: TaskLeaf | GroupNode) -> tuple[TaskId, ...]:
    return child.tasks if isinstance(child, GroupNode) else (child.task_id,)
