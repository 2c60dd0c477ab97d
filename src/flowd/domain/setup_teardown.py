"""Setups and teardowns: who waits for which setup, whose states decide a run, what is cleared along.

A setup prepares something, a teardown takes it away. The work between the two needs the setup even where its own
trigger rule would let it go on without; a teardown runs once the work has ended, however it ended, if its setup was a
success; and what a teardown comes to decides nothing about the run, unless its author asked for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flowd.domain.ids import TaskId
from flowd.domain.task_spec import TaskRole, TaskSpec

Edges = Mapping[TaskId, Sequence[TaskId]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setups:
    """The setups that a task waits for: those directly above it, and those above that work between must not hide."""

    direct: tuple[TaskId, ...] = ()
    indirect: tuple[TaskId, ...] = ()


def setups_by_task(tasks: Mapping[TaskId, TaskSpec], downstream: Edges) -> dict[TaskId, Setups]:
    """Return the setups of each task that has any; `tasks` are in topological order.

    A setup counts for what is behind it and before one of its teardowns, and for all behind it where it has none. A
    teardown waits for none but those directly above it.
    """
    found: dict[TaskId, Setups] = {}
    for task in tasks.values():
        direct = tuple(one for one in task.upstream if tasks[one].role is TaskRole.SETUP)
        if direct:
            found[task.task_id] = Setups(direct=direct)
    upstream = {task_id: task.upstream for task_id, task in tasks.items()}
    for setup in (task.task_id for task in tasks.values() if task.role is TaskRole.SETUP):
        for task_id in sorted(_served_by(setup, tasks, downstream, upstream) - set(downstream[setup])):
            so_far = found.get(task_id, Setups())
            found[task_id] = Setups(direct=so_far.direct, indirect=(*so_far.indirect, setup))
    return found


def deciding_tasks(
    tasks: Mapping[TaskId, TaskSpec], downstream: Edges, *, is_fail_fast: bool = False
) -> tuple[TaskId, ...]:
    """Return the tasks whose states decide the run's: all but such teardowns, where only such wait for them.

    Where the first failure ends the run, every task but such teardowns decides: what is behind it was only skipped.
    """
    return tuple(
        task_id
        for task_id, task in tasks.items()
        if _decides(task) and (is_fail_fast or not any(_decides(tasks[below]) for below in downstream[task_id]))
    )


def along_with(task_ids: Iterable[TaskId], tasks: Mapping[TaskId, TaskSpec], downstream: Edges) -> set[TaskId]:
    """Return the setups and teardowns that are to run again with these tasks: what they work on is gone since.

    For work they are the setups that count for it, and their teardowns; for a setup, its teardowns.
    """
    upstream = {task_id: task.upstream for task_id, task in tasks.items()}
    chosen = set(task_ids)
    along: set[TaskId] = set()
    for setup in (task.task_id for task in tasks.values() if task.role is TaskRole.SETUP):
        served = {one for one in _served_by(setup, tasks, downstream, upstream) if tasks[one].role is TaskRole.WORK}
        if setup in chosen or served & chosen:
            along |= {setup, *_teardowns_of(setup, tasks, downstream)}
    return along - chosen


def reach(roots: Iterable[TaskId], edges: Edges) -> set[TaskId]:
    """Return every task that can be reached from `roots`, the roots left out unless reachable from one another."""
    seen: set[TaskId] = set()
    frontier = list(roots)
    while frontier:
        for neighbour in edges[frontier.pop()]:
            if neighbour not in seen:
                seen.add(neighbour)
                frontier.append(neighbour)
    return seen


def _served_by(setup: TaskId, tasks: Mapping[TaskId, TaskSpec], downstream: Edges, upstream: Edges) -> set[TaskId]:
    """Return what is behind the setup, but for teardowns, and before one of its own teardowns where it has any."""
    behind = {one for one in reach([setup], downstream) if tasks[one].role is not TaskRole.TEARDOWN}
    teardowns = _teardowns_of(setup, tasks, downstream)
    return behind & reach(teardowns, upstream) if teardowns else behind


def _teardowns_of(setup: TaskId, tasks: Mapping[TaskId, TaskSpec], downstream: Edges) -> list[TaskId]:
    return [one for one in downstream[setup] if tasks[one].role is TaskRole.TEARDOWN]


def _decides(task: TaskSpec) -> bool:
    return task.role is not TaskRole.TEARDOWN or task.on_failure_fail_dagrun
