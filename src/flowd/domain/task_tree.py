"""TaskTree: a DAG's tasks in their groups, as pages unfold them: in the order in which they may run."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowd.domain.graph import Graph
from flowd.domain.ids import TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLeaf:
    """A task, by the name that pages give it."""

    task_id: TaskId
    label: str
    is_mapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNode:
    """A task group; `children` are in the order in which their first tasks may run, `tasks` are all in it."""

    group_id: str
    label: str
    tooltip: str
    children: tuple["GroupNode | TaskLeaf", ...]
    tasks: tuple[TaskId, ...]
    is_mapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRow:
    """A line of an unfolded tree: a group, open or folded, or a task, so many groups deep."""

    node: GroupNode | TaskLeaf
    depth: int
    is_open: bool = False

    @property
    def tasks(self) -> tuple[TaskId, ...]:
        """The tasks that the line stands for."""
        return self.node.tasks if isinstance(self.node, GroupNode) else (self.node.task_id,)


def task_tree(graph: Graph) -> GroupNode:
    """Return the root, a group without a name, with every task of the DAG."""
    order = {task_id: number for number, task_id in enumerate(graph.tasks)}
    root = graph.dag.presentation.get("groups") or {}
    placed: set[TaskId] = set()
    tree = _group(root, graph, order, placed)
    missing = [_leaf(graph, task_id) for task_id in graph.tasks if task_id not in placed]
    return _with_children(tree, [*tree.children, *missing], order) if missing else tree


def unfolded(tree: GroupNode, open_groups: Collection[str] | None) -> list[TreeRow]:
    """Return the lines of the tree where these groups are open; None for all of them."""
    return list(_rows(tree, open_groups, 0))


def groups_of(tree: GroupNode) -> Iterator[GroupNode]:
    """Iterate over every group in the tree but its root, each before those in it."""
    for child in tree.children:
        if isinstance(child, GroupNode):
            yield child
            yield from groups_of(child)


def _rows(group: GroupNode, open_groups: Collection[str] | None, depth: int) -> Iterator[TreeRow]:
    for child in group.children:
        if isinstance(child, TaskLeaf):
            yield TreeRow(node=child, depth=depth)
            continue
        is_open = open_groups is None or child.group_id in open_groups
        yield TreeRow(node=child, depth=depth, is_open=is_open)
        if is_open:
            yield from _rows(child, open_groups, depth + 1)


def _group(document: Mapping[str, Any], graph: Graph, order: Mapping[TaskId, int], placed: set[TaskId]) -> GroupNode:
    children: list[GroupNode | TaskLeaf] = []
    group_id = document.get("id") or ""
    for child in document.get("children", ()):
        if not isinstance(child, str):
            children.append(_group(child, graph, order, placed))
        elif child in graph.tasks:
            placed.add(TaskId(child))
            children.append(_leaf(graph, TaskId(child), group_id))
    node = GroupNode(
        group_id=group_id,
        label=document.get("label") or group_id,
        tooltip=document.get("tooltip") or "",
        children=(),
        tasks=(),
        is_mapped=group_id in graph.mapped_groups,
    )
    return _with_children(node, children, order)


def _with_children(node: GroupNode, children: list[GroupNode | TaskLeaf], order: Mapping[TaskId, int]) -> GroupNode:
    def first(child: GroupNode | TaskLeaf) -> int:
        tasks = child.tasks if isinstance(child, GroupNode) else (child.task_id,)
        return min((order[task_id] for task_id in tasks), default=len(order))

    children = sorted((one for one in children if isinstance(one, TaskLeaf) or one.tasks), key=first)
    return GroupNode(
        group_id=node.group_id,
        label=node.label,
        tooltip=node.tooltip,
        children=tuple(children),
        tasks=tuple(
            task_id
            for child in children
            for task_id in (child.tasks if isinstance(child, GroupNode) else (child.task_id,))
        ),
        is_mapped=node.is_mapped,
    )


def _leaf(graph: Graph, task_id: TaskId, group_id: str = "") -> TaskLeaf:
    """Return the task: in a group whose id begins its own, that beginning is not said again."""
    task = graph.tasks[task_id]
    label = str(task.presentation.get("task_display_name") or task_id)
    if group_id and label == task_id:
        label = label.removeprefix(f"{group_id}.")
    return TaskLeaf(task_id=task_id, label=label, is_mapped=task.expansion is not None)
