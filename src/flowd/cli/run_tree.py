"""run_tree: the tasks of a run as a tree of their groups, as a terminal shows it while the run goes on."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

LOOKS = {
    "success": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "running": ("▶", "bold blue"),
    "restarting": ("▶", "yellow"),
    "up_for_retry": ("↻", "yellow"),
    "up_for_reschedule": ("◷", "cyan"),
    "deferred": ("◷", "magenta"),
    "queued": ("■", "blue"),
    "scheduled": ("□", "blue"),
    "skipped": ("↷", "dim"),
    "upstream_failed": ("⇣", "red"),
    "removed": ("–", "dim"),
}
"""Sign and style of each state; no other says that a task has not begun."""
NOT_BEGUN = ("·", "dim")

_LIVELY = ("failed", "running", "restarting", "up_for_retry")
"""What is shown first where there is no room for all."""

Instance = Mapping[str, Any]


def run_tree(run: Mapping[str, Any], task_ids: Sequence[str], instances: Iterable[Instance], *, room: int) -> "Tree":
    """Return the tree of a run, in the order of `task_ids`, with at most `room` tasks; what is left out is counted."""
    from rich.tree import Tree

    by_task: dict[str, list[Instance]] = {task_id: [] for task_id in task_ids}
    for one in instances:
        by_task.setdefault(one["task_id"], []).append(one)
    shown = _chosen(by_task, room)
    tree = Tree(_headline(run, by_task))
    branches: dict[str, Tree] = {"": tree}
    for task_id in by_task:
        if task_id in shown:
            group, _, name = task_id.rpartition(".")
            _branch(branches, group).add(_label(name, by_task[task_id]))
    left_out = Counter(_state(by_task[task_id]) for task_id in by_task if task_id not in shown)
    if left_out:
        tree.add(_text(f"… {left_out.total()} more: {_counted(left_out)}", "dim"))
    return tree


def _chosen(by_task: Mapping[str, Sequence[Instance]], room: int) -> set[str]:
    if len(by_task) <= room:
        return set(by_task)
    lively = [task_id for task_id, found in by_task.items() if any(one["state"] in _LIVELY for one in found)]
    rest = [task_id for task_id in by_task if task_id not in set(lively)]
    return set((lively + rest)[: max(room - 1, 0)])


def _headline(run: Mapping[str, Any], by_task: Mapping[str, Sequence[Instance]]) -> "Text":
    every = [one for found in by_task.values() for one in found]
    ended = sum(1 for one in every if one["end_date"])
    took = f", {run['duration']:.1f} s" if run.get("duration") else ""
    return _text(f"{run['dag_id']} {run['dag_run_id']}: {run['state']}, {ended} of {len(every)} ended{took}", "bold")


def _branch(branches: "dict[str, Tree]", group: str) -> "Tree":
    if group not in branches:
        above, _, name = group.rpartition(".")
        branches[group] = _branch(branches, above).add(_text(name, "bold"))
    return branches[group]


def _label(name: str, instances: Sequence[Instance]) -> "Text":
    state = _state(instances)
    sign, style = LOOKS.get(state, NOT_BEGUN)
    if len(instances) > 1:
        said = _counted(Counter(str(one["state"] or "none") for one in instances))
        return _text(f"{sign} {name} [{len(instances)}]: {said}", style)
    told = "" if state == "none" else f": {state}"
    (one,) = instances or ({"duration": None, "end_date": None, "try_number": 0},)
    tries = f" (try {one['try_number']})" if one["try_number"] > 1 else ""
    took = f" in {one['duration']:.2f} s" if one["end_date"] and one["duration"] else ""
    return _text(f"{sign} {name}{told}{tries}{took}", style)


def _state(instances: Sequence[Instance]) -> str:
    """Return the state of a task; of a mapped one the state of the instance that matters most."""
    states = {str(one["state"] or "none") for one in instances}
    order = (*_LIVELY, "up_for_reschedule", "deferred", "queued", "scheduled", "none", "upstream_failed")
    return next((state for state in order if state in states), min(states, default="none"))


def _counted(states: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.most_common())


def _text(said: str, style: str) -> "Text":
    from rich.text import Text

    return Text(said, style=style)
