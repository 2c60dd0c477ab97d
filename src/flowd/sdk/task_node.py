"""TaskNode: a task's place in its DAG: its id, its group, its edges."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from flowd.domain.errors import InvalidDag
from flowd.sdk.edges import Linkable

if TYPE_CHECKING:
    from flowd.sdk.base_operator import BaseOperator
    from flowd.sdk.dag import DAG
    from flowd.sdk.task_group import TaskGroup


class TaskNode(Linkable):
    """A task as its neighbours see it."""

    task_id: str
    task_group: "TaskGroup | None"
    upstream_task_ids: set[str]
    downstream_task_ids: set[str]
    _dag: "DAG | None"

    @property
    def dag(self) -> "DAG":
        """The DAG the task is in; raises InvalidDag where it is in none yet."""
        if self._dag is None:
            raise InvalidDag(f"task {self.task_id!r} is in no DAG: create it in a `with DAG(…)` block or pass dag=")
        return self._dag

    @dag.setter
    def dag(self, dag: "DAG | None") -> None:
        if dag is None:
            self._dag = None
        elif self._dag is None:
            dag.add_task(self._as_operator())
        elif self._dag is not dag:
            raise InvalidDag(
                f"task {self.task_id!r} is in DAG {self._dag.dag_id!r}, and cannot be in {dag.dag_id!r} too"
            )

    def has_dag(self) -> bool:
        """Return True where the task is in a DAG."""
        return self._dag is not None

    @property
    def dag_id(self) -> str:
        """The id of its DAG."""
        return self.dag.dag_id

    @property
    def node_id(self) -> str:
        """Its id in the graph, which is its task id."""
        return self.task_id

    @property
    def label(self) -> str:
        """Its id without the prefix of its group, as pages show it."""
        group = self.task_group
        prefix = f"{group.group_id}." if group and group.group_id and group.prefix_group_id else ""
        return self.task_id.removeprefix(prefix)

    @property
    def mapped_group(self) -> "TaskGroup | None":
        """The mapped group that it is in, however deep."""
        group = self.task_group
        while group is not None and group.expand_input is None:
            group = group.parent_group
        return group

    @property
    def roots(self) -> Sequence["TaskNode"]:
        """The task itself."""
        return [self]

    @property
    def leaves(self) -> Sequence["TaskNode"]:
        """The task itself."""
        return [self]

    def link_task(self, downstream: "TaskNode", label: str | None = None) -> None:
        """Make `downstream` wait for this task; one that has no DAG yet joins the other's."""
        dag = self._dag or downstream._dag
        if dag is None:
            raise InvalidDag(
                f"tasks {self.task_id!r} and {downstream.task_id!r} were linked, but neither is in a DAG: "
                "create them in a `with DAG(…)` block or pass dag="
            )
        self.dag = dag
        downstream.dag = dag
        self.downstream_task_ids.add(downstream.task_id)
        downstream.upstream_task_ids.add(self.task_id)
        if label is not None:
            dag.edge_info.setdefault(self.task_id, {})[downstream.task_id] = {"label": label}

    @property
    def upstream_list(self) -> "list[BaseOperator]":
        """The tasks this one waits for, by id."""
        return [self.dag.get_task(task_id) for task_id in sorted(self.upstream_task_ids)]

    @property
    def downstream_list(self) -> "list[BaseOperator]":
        """The tasks that wait for this one, by id."""
        return [self.dag.get_task(task_id) for task_id in sorted(self.downstream_task_ids)]

    def get_direct_relative_ids(self, upstream: bool = False) -> set[str]:
        """Return the ids of the direct neighbours on one side."""
        return self.upstream_task_ids if upstream else self.downstream_task_ids

    def get_direct_relatives(self, upstream: bool = False) -> "Iterable[BaseOperator]":
        """Return the direct neighbours on one side."""
        return self.upstream_list if upstream else self.downstream_list

    def get_flat_relative_ids(self, upstream: bool = False) -> set[str]:
        """Return the ids of all tasks before, or behind, this one."""
        return set(self._reach(upstream))

    def get_flat_relatives(self, upstream: bool = False) -> "list[BaseOperator]":
        """Return all tasks before, or behind, this one."""
        return [self.dag.get_task(task_id) for task_id in self._reach(upstream)]

    def _reach(self, upstream: bool) -> Iterator[str]:
        seen: set[str] = set()
        frontier = sorted(self.get_direct_relative_ids(upstream))
        while frontier:
            task_id = frontier.pop()
            if task_id not in seen:
                seen.add(task_id)
                yield task_id
                frontier += sorted(self.dag.get_task(task_id).get_direct_relative_ids(upstream))

    def _as_operator(self) -> "BaseOperator":
        raise NotImplementedError
