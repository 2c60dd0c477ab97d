"""Graph: the edges of a DAG, indexed once per DAG version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from flowd.domain.dag_spec import DagSpec
from flowd.domain.errors import InvalidDag
from flowd.domain.ids import TaskId
from flowd.domain.task_spec import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A checked DAG: `tasks` in topological order, `downstream` the direct successors of each task."""

    dag: DagSpec
    tasks: Mapping[TaskId, TaskSpec]
    downstream: Mapping[TaskId, tuple[TaskId, ...]]

    @property
    def leaves(self) -> tuple[TaskId, ...]:
        """The tasks nothing waits for: their states decide the run's."""
        return tuple(task_id for task_id in self.tasks if not self.downstream[task_id])

    def descendants(self, roots: Iterable[TaskId]) -> set[TaskId]:
        """Return every task reachable from `roots`, the roots left out unless reachable from one another."""
        return _reach(roots, self.downstream)

    def ancestors(self, roots: Iterable[TaskId]) -> set[TaskId]:
        """Return every task from which one of `roots` is reachable."""
        return _reach(roots, {task_id: task.upstream for task_id, task in self.tasks.items()})


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


def _reach(roots: Iterable[TaskId], edges: Mapping[TaskId, tuple[TaskId, ...]]) -> set[TaskId]:
    seen: set[TaskId] = set()
    frontier = list(roots)
    while frontier:
        for neighbour in edges[frontier.pop()]:
            if neighbour not in seen:
                seen.add(neighbour)
                frontier.append(neighbour)
    return seen
