"""Grid: a DAG's tasks against its runs. Groups fold, and a long DAG is shown a page of lines at a time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flowd.api.dashboard.words import segment
from flowd.db.views.grid import TaskCounts
from flowd.db.views.recent import RecentRun
from flowd.domain.loudest_state import loudest_state
from flowd.domain.task_tree import GroupNode, TaskLeaf, TreeRow, groups_of, unfolded

MOST_ROWS = 150
UNFOLDED_TASKS = 60
"""Up to so many tasks every group is open where nobody has said which."""

ALL, NONE = "all", "none"


@dataclass(frozen=True, slots=True)
class Cell:
    """A task or group in a run: the state it is shown by, what that means in words, and where a click leads."""

    state: str
    words: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRow:
    """A line: `toggled` is the value of `open` by which its group is folded or unfolded."""

    label: str
    depth: int
    task_id: str | None
    group_id: str | None
    tasks: int
    is_mapped: bool
    is_open: bool
    toggled: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The lines of this page, and how many there are in all."""

    rows: Sequence[GridRow]
    total: int
    groups: int
    is_all_open: bool
    most: int = MOST_ROWS


def open_groups_of(tree: GroupNode, asked: str) -> set[str]:
    """Return the groups that are open: `all`, `none`, or ids with commas between; what nobody asked is up to size."""
    every = {group.group_id for group in groups_of(tree)}
    if asked == ALL or (not asked and len(tree.tasks) <= UNFOLDED_TASKS):
        return every
    return every & set(asked.split(","))


def grid_of(
    tree: GroupNode,
    runs: Sequence[RecentRun],
    states: Mapping[int, TaskCounts],
    *,
    open_groups: Collection[str],
    task: str = "",
    first: int = 0,
) -> Grid:
    """Return the lines from the `first` on; those of tasks with `task` in their id alone, where one is given."""
    lines = unfolded(tree, open_groups)
    if task:
        matching = unfolded(tree, None)
        lines = [line for line in matching if isinstance(line.node, TaskLeaf) and task in line.node.task_id]
    removed = sorted({one for run in runs for one in states[run.key]} - set(tree.tasks))
    lines += [
        TreeRow(node=TaskLeaf(task_id=task_id, label=f"{task_id} (removed)"), depth=0)  # type: ignore[arg-type]
        for task_id in removed
        if task in task_id
    ]
    every = {group.group_id for group in groups_of(tree)}
    return Grid(
        rows=[
            _row(line, runs, states, open_groups, is_all_open=set(open_groups) == every)
            for line in lines[first : first + MOST_ROWS]
        ],
        total=len(lines),
        groups=len(every),
        is_all_open=set(open_groups) == every,
    )


def _row(
    line: TreeRow,
    runs: Sequence[RecentRun],
    states: Mapping[int, TaskCounts],
    open_groups: Collection[str],
    *,
    is_all_open: bool,
) -> GridRow:
    node = line.node
    group_id = node.group_id if isinstance(node, GroupNode) else None
    toggled = set(open_groups) ^ {group_id} if group_id else set()
    return GridRow(
        label=node.label,
        depth=line.depth,
        task_id=None if isinstance(node, GroupNode) else node.task_id,
        group_id=group_id,
        tasks=len(line.tasks),
        is_mapped=node.is_mapped,
        is_open=line.is_open,
        toggled=",".join(sorted(filter(None, toggled))) or NONE,
        cells=tuple(_cell(line, run, states[run.key]) for run in runs),
    )


def _cell(line: TreeRow, run: RecentRun, tasks: TaskCounts) -> Cell | None:
    counts: dict[str, int] = {}
    for task_id in line.tasks:
        for name, number in tasks.get(task_id, {}).items():
            counts[name] = counts.get(name, 0) + number
    state = loudest_state(counts)
    if state is None:
        return None
    words = state.value if sum(counts.values()) == 1 else ", ".join(_in_words(counts))
    place = f"/dags/{segment(run.dag_id)}/runs/{segment(run.run_id)}"
    if isinstance(line.node, TaskLeaf):
        place += f"/tasks/{segment(line.node.task_id)}"
    return Cell(state.value, words, place)


def _in_words(counts: Mapping[str, int]) -> Iterator[str]:
    return (f"{number} {state}" for state, number in sorted(counts.items(), key=lambda one: -one[1]))
