"""Layout of a graph in columns, from left to right: where its boxes are drawn, and along which points each edge goes.

Columns and the order in them are those of Sugiyama's method. What a box stands for is its user's: `node`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

Node = TypeVar("Node")
Point = tuple[float, float]

HEIGHT = 36.0
LETTER = 7.2
NARROWEST, WIDEST = 90.0, 280.0
BESIDE, BETWEEN = 14.0, 46.0
"""Between two boxes of one column, and between two columns."""
PASSING = 10.0
"""The height that an edge takes in a column that it only passes through."""
TALLEST_STACK = 420.0
"""Parts that nothing ties together stand below one another, up to this height in one column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box(Generic[Node]):
    """What is drawn, and the rectangle it is drawn in; where it `is_open`, others lie in it."""

    node: Node
    x: float
    y: float
    width: float
    height: float
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge(Generic[Node]):
    """An edge from the end of the box of `source` to the beginning of that of `target`, through `points`.

    One that goes back goes from the beginning of the first to the end of the second.
    """

    source: Node
    target: Node
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
class Drawing(Generic[Node]):
    """Boxes, those that are open before what is in them, and edges; all within `width` and `height`."""

    boxes: tuple[Box[Node], ...]
    edges: tuple[Edge[Node], ...]
    width: float
    height: float

    def moved(self, x: float, y: float) -> "Drawing[Node]":
        """Return the same further right and down."""
        return Drawing(
            boxes=tuple(replace(box, x=box.x + x, y=box.y + y) for box in self.boxes),
            edges=tuple(replace(one, points=tuple((a + x, b + y) for a, b in one.points)) for one in self.edges),
            width=self.width,
            height=self.height,
        )


def boxed(node: Node, letters: int) -> Drawing[Node]:
    """Return the drawing of one closed box, wide enough for so many letters."""
    width = min(max(NARROWEST, letters * LETTER + 26), WIDEST)
    box = Box(node=node, x=0, y=0, width=width, height=HEIGHT)
    return Drawing(boxes=(box,), edges=(), width=width, height=HEIGHT)


def arranged(drawn: Sequence[Drawing[Node]], edges: Sequence[tuple[int, int]]) -> Drawing[Node]:
    """Put the parts into columns and draw the edges between them; what is tied to nothing comes below.

    Edges are between parts, by their numbers. Where they go in a circle, some go back, from right to left.
    """
    boxes: list[Box[Node]] = []
    lines: list[Edge[Node]] = []
    top = right = 0.0
    parts = list(_tied(edges)) if edges else []
    for ranks, chains in parts:
        placed, width, height = _columns(ranks, drawn)
        for number, (x, y, _, _) in placed.items():
            if isinstance(number, str):
                part = drawn[int(number)].moved(x, y + top)
                boxes += part.boxes
                lines += part.edges
        lines += [_edge(chain, drawn, _through(chain, placed, top)) for chain in chains]
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
    from fast_sugiyama import from_edges

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
    ranks: Sequence[Sequence[_Key]], drawn: Sequence[Drawing[Node]]
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


def _edge(chain: Sequence[_Key], drawn: Sequence[Drawing[Node]], points: tuple[Point, ...]) -> Edge[Node]:
    source, target = (drawn[int(key)].boxes[0].node for key in (chain[0], chain[-1]))
    return Edge(source=source, target=target, points=points)


def _through(
    chain: Sequence[_Key], placed: Mapping[_Key, tuple[float, float, float, float]], top: float
) -> tuple[Point, ...]:
    is_back = placed[chain[-1]][0] < placed[chain[0]][0]
    points: list[Point] = []
    for place, key in enumerate(chain):
        x, y, width, height = placed[key]
        middle = top + y + height / 2
        begin, end = (x + width, x) if is_back else (x, x + width)
        if place:
            points.append((begin, middle))
        if place < len(chain) - 1:
            points.append((end, middle))
    return tuple(points)
