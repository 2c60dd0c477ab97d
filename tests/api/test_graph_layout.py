"""The layout of graphs: whatever the DAG, nothing lies across another, and edges go from left to right."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from flowd.api.dashboard.graph_layout import TaskBox, TaskDrawing, drawing_of, tasks_of
from flowd.domain.graph import Graph, graph_of
from flowd.domain.task_tree import GroupNode, groups_of, task_tree
from tests.support.specs import a_dag, a_task


@st.composite
def grouped_graphs(draw: st.DrawFn) -> Graph:
    """Any DAG of up to twelve tasks, each of which may be in one of two groups, one of them within the other."""
    count = draw(st.integers(1, 12))
    after = [draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set() for number in range(count)]
    places = [draw(st.sampled_from(("", "g", "g.h"))) for _ in range(count)]
    tasks = [a_task(f"t{number}", after=[f"t{one}" for one in sorted(after[number])]) for number in range(count)]
    children: dict[str, list[object]] = {"": [], "g": [], "g.h": []}
    for number, place in enumerate(places):
        children[place].append(f"t{number}")
    inner = {"id": "g.h", "children": children["g.h"]}
    group = {"id": "g", "children": [*children["g"], inner]}
    return graph_of(a_dag(*tasks, presentation={"groups": {"id": None, "children": [*children[""], group]}}))


def overlap(one: TaskBox, other: TaskBox) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def contains(outer: TaskBox, inner: TaskBox) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width
        and inner.y + inner.height <= outer.y + outer.height
    )


def check(drawing: TaskDrawing) -> None:
    for one, other in combinations(drawing.boxes, 2):
        if set(tasks_of(one.node)) & set(tasks_of(other.node)):
            big, small = (one, other) if len(tasks_of(one.node)) >= len(tasks_of(other.node)) else (other, one)
            assert contains(big, small) or contains(small, big), "a box lies in its group, and whole"
        else:
            assert not overlap(one, other)
    for box in drawing.boxes:
        assert box.x >= 0 and box.y >= 0
        assert box.x + box.width <= drawing.width + 0.01 and box.y + box.height <= drawing.height + 0.01
    if any(isinstance(box.node, GroupNode) for box in drawing.boxes):
        # Groups may wait for each other in a circle though no tasks do: then some edge must go back.
        return
    for edge in drawing.edges:
        across = [x for x, _ in edge.points]
        assert across == sorted(across), "an edge never goes back"


@given(grouped_graphs(), st.sampled_from(((), ("g",), ("g", "g.h"))))
@settings(deadline=None, max_examples=80)
def test_nothing_lies_across_another(graph: Graph, open_groups: tuple[str, ...]) -> None:
    tree = task_tree(graph)
    known = {group.group_id for group in groups_of(tree)}

    drawing = drawing_of(graph, tree, known & set(open_groups))

    shown = {task for box in drawing.boxes for task in tasks_of(box.node)}
    assert shown == set(graph.tasks)
    check(drawing)


def test_an_edge_between_groups_is_drawn_once_and_folded_groups_hide_theirs() -> None:
    graph = graph_of(
        a_dag(
            a_task("g.a"),
            a_task("g.b", after=["g.a"]),
            a_task("end", after=["g.a", "g.b"]),
            presentation={"groups": {"id": None, "children": ["end", {"id": "g", "children": ["g.a", "g.b"]}]}},
        )
    )

    folded, unfolded = (drawing_of(graph, task_tree(graph), groups) for groups in ((), ("g",)))

    assert [len(folded.boxes), len(folded.edges)] == [2, 1]
    assert [len(unfolded.boxes), len(unfolded.edges)] == [4, 2]
    (frame,) = [box for box in unfolded.boxes if box.is_open]
    assert isinstance(frame.node, GroupNode) and frame.node.group_id == "g"


def test_only_some_tasks_are_drawn_where_some_are_asked_for() -> None:
    graph = graph_of(a_dag(a_task("a"), a_task("b", after=["a"]), a_task("c", after=["b"])))

    drawing = drawing_of(graph, task_tree(graph), (), only={"a", "b"})  # type: ignore[arg-type]

    assert [tasks_of(box.node) for box in drawing.boxes] == [("a",), ("b",)]
    assert drawing.edges[0].path.startswith("M")
