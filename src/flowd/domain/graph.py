"""Graph: the edges of a DAG, indexed once per DAG version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from flowd.domain.dag_spec import DagSpec
from flowd.domain.errors import InvalidDag
from flowd.domain.ids import TaskId
from flowd.domain.map_length import sources_of
from flowd.domain.setup_teardown import Setups, deciding_tasks, reach, setups_by_task
from flowd.domain.task_spec import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A checked DAG: `tasks` in topological order, `downstream` the direct successors of each task.

    `leaves` are the tasks whose states decide the run's: nothing waits for them but teardowns. Those
    `depending_on_past` wait for the run before: for the tasks that `past` has for each. Those `limited_per_dag` have a
    max_active_tis_per_dag, those `dated` a start or end date beside the DAG's. `setups` are those that a task waits
    for, and `serves` the tasks for which a setup counts beyond those directly below it. `feeds` are those that expand
    over what a task returns and do not wait for it directly, as within a mapped group. `mapped_groups` are the tasks of
    each mapped task group, and `groups` the one that each of these is in. All are found once: no advance costs the size
    of the DAG.
    """

    dag: DagSpec
    tasks: Mapping[TaskId, TaskSpec]
    downstream: Mapping[TaskId, tuple[TaskId, ...]]
    leaves: tuple[TaskId, ...] = field(init=False)
    depending_on_past: tuple[TaskId, ...] = field(init=False)
    past: Mapping[TaskId, tuple[TaskId, ...]] = field(init=False)
    limited_per_dag: tuple[TaskSpec, ...] = field(init=False)
    dated: tuple[TaskSpec, ...] = field(init=False)
    setups: Mapping[TaskId, Setups] = field(init=False)
    serves: Mapping[TaskId, tuple[TaskId, ...]] = field(init=False)
    feeds: Mapping[TaskId, tuple[TaskId, ...]] = field(init=False)
    mapped_groups: Mapping[str, tuple[TaskId, ...]] = field(init=False)
    groups: Mapping[TaskId, str] = field(init=False)

    def __post_init__(self) -> None:
        tasks = self.tasks.values()
        setups = setups_by_task(self.tasks, self.downstream)
        serves: dict[TaskId, tuple[TaskId, ...]] = {}
        for task_id, its in setups.items():
            serves |= {setup: (*serves.get(setup, ()), task_id) for setup in its.indirect}
        feeds: dict[TaskId, tuple[TaskId, ...]] = {}
        for one in tasks:
            for source in sources_of(one.expansion.length) if one.expansion else ():
                if source not in one.upstream:
                    feeds[source] = (*feeds.get(source, ()), one.task_id)
        groups = {one.task_id: one.expansion.group for one in tasks if one.expansion and one.expansion.group}
        members: dict[str, list[TaskId]] = {}
        for task_id, group in groups.items():
            members.setdefault(group, []).append(task_id)
        found: dict[str, object] = {
            "groups": groups,
            "mapped_groups": {group: tuple(task_ids) for group, task_ids in members.items()},
            "leaves": deciding_tasks(self.tasks, self.downstream, is_fail_fast=self.dag.fail_fast),
            "setups": setups,
            "serves": serves,
            "feeds": feeds,
            "depending_on_past": tuple(task.task_id for task in tasks if task.depends_on_past),
            "past": {
                task.task_id: (task.task_id, *(self.downstream[task.task_id] if task.waits_for_downstream else ()))
                for task in tasks
                if task.depends_on_past
            },
            "limited_per_dag": tuple(task for task in tasks if task.max_active_tis_per_dag is not None),
            "dated": tuple(task for task in tasks if task.start_date or task.end_date),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def is_beside(self, task_id: TaskId, other: TaskId) -> bool:
        """Return True where both are in one mapped group: what one map index of one means is for the other's alone."""
        group = self.groups.get(task_id)
        return group is not None and group == self.groups.get(other)

    def descendants(self, roots: Iterable[TaskId]) -> set[TaskId]:
        """Return every task reachable from `roots`, the roots left out unless reachable from one another."""
        return reach(roots, self.downstream)

    def ancestors(self, roots: Iterable[TaskId]) -> set[TaskId]:
        """Return every task from which one of `roots` is reachable."""
        return reach(roots, {task_id: task.upstream for task_id, task in self.tasks.items()})


def graph_of(dag: DagSpec) -> Graph:
    """Return the DAG's graph; raise InvalidDag for a duplicate or unknown task id or a cycle, naming the tasks."""
    by_id: dict[TaskId, TaskSpec] = {}
    for task in dag.tasks:
        if task.task_id in by_id:
            raise InvalidDag(f"DAG {dag.dag_id!r}: two tasks have the id {task.task_id!r}; give each its own task_id")
        by_id[task.task_id] = task
    for task in dag.tasks:
        for upstream in task.upstream:
            if upstream not in by_id:
                raise InvalidDag(
                    f"DAG {dag.dag_id!r}: task {task.task_id!r} waits for {upstream!r}, which is none of its tasks"
                )
    try:
        order = tuple(TopologicalSorter({task.task_id: task.upstream for task in dag.tasks}).static_order())
    except CycleError as cycle:
        path = " >> ".join(cycle.args[1])
        raise InvalidDag(f"DAG {dag.dag_id!r}: its tasks wait for each other in a circle: {path}") from cycle
    downstream: dict[TaskId, list[TaskId]] = {task_id: [] for task_id in order}
    for task_id in order:
        for upstream in by_id[task_id].upstream:
            downstream[upstream].append(task_id)
    return Graph(
        dag=dag,
        tasks={task_id: by_id[task_id] for task_id in order},
        downstream={task_id: tuple(successors) for task_id, successors in downstream.items()},
    )
