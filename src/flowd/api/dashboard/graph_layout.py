"""Layout of a DAG's graph: where each task and group is drawn, and along which points each edge goes.

Each group is laid out by itself and then is one box in the group that it is in, so that nothing lies across another.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from flowd.api.dashboard.layered_layout import LETTER, Box, Drawing, arranged, boxed
from flowd.domain.graph import Graph
from flowd.domain.ids import TaskId
from flowd.domain.task_tree import GroupNode, TaskLeaf

MARGIN, TITLE = 12.0, 22.0

TaskNode = TaskLeaf | GroupNode
TaskBox = Box[TaskNode]
TaskDrawing = Drawing[TaskNode]


def tasks_of(node: TaskNode) -> tuple[TaskId, ...]:
    """Return the tasks that a box of this node stands for."""
    return node.tasks if isinstance(node, GroupNode) else (node.task_id,)


def drawing_of(
    graph: Graph, tree: GroupNode, open_groups: Collection[str], *, only: Collection[TaskId] | None = None
) -> TaskDrawing:
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
) -> TaskDrawing:
    children = [child for child in group.children if only is None or any(one in only for one in tasks_of(child))]
    child_of = {task_id: number for number, child in enumerate(children) for task_id in tasks_of(child)}
    inner: dict[int, list[tuple[TaskId, TaskId]]] = defaultdict(list)
    between: dict[tuple[int, int], None] = {}
    for edge in edges:
        source, target = child_of[edge[0]], child_of[edge[1]]
        if source == target:
            inner[source].append(edge)
        else:
            between[source, target] = None
    drawn = [_child(child, inner[number], open_groups, only) for number, child in enumerate(children)]
    return arranged(drawn, list(between))


def _child(
    child: TaskNode,
    edges: Sequence[tuple[TaskId, TaskId]],
    open_groups: frozenset[str],
    only: Collection[TaskId] | None,
) -> TaskDrawing:
    if isinstance(child, TaskLeaf) or child.group_id not in open_groups:
        return boxed(child, len(child.label) + (4 if isinstance(child, GroupNode) else 0))
    inside = _group(child, edges, open_groups, only)
    width = max(inside.width, len(child.label) * LETTER) + 2 * MARGIN
    height = inside.height + TITLE + 2 * MARGIN - 6
    frame: TaskBox = Box(node=child, x=0, y=0, width=width, height=height, is_open=True)
    within = inside.moved((width - inside.width) / 2, TITLE + MARGIN - 4)
    return Drawing(boxes=(frame, *within.boxes), edges=within.edges, width=width, height=height)
