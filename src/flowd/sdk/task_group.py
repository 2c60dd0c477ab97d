"""TaskGroup: tasks that are named, shown and linked together."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from flowd.domain.errors import InvalidDag
from flowd.sdk.dag_context import current_dag, current_group, enter_group, leave_group
from flowd.sdk.edges import Linkable
from flowd.sdk.exceptions import DuplicateTaskIdFound
from flowd.sdk.identifiers import check_identifier
from flowd.sdk.keywords import refuse_unknown
from flowd.sdk.task_node import TaskNode

if TYPE_CHECKING:
    from flowd.sdk.dag import DAG
    from flowd.sdk.expand_input import ExpandInput

_KEYWORDS = (
    "group_id", "prefix_group_id", "parent_group", "dag", "default_args", "tooltip", "ui_color", "ui_fgcolor",
    "add_suffix_on_collision", "group_display_name",
)  # fmt: skip


class TaskGroup(Linkable):
    """A group: `with TaskGroup("load"):` names its tasks `load.…` and may stand on either side of `>>`.

    The root group of a DAG has the id None. `default_args` go over the DAG's for what is in the group. A mapped group
    has an `expand_input`.
    """

    expand_input: "ExpandInput | None" = None

    def __init__(
        self,
        group_id: str | None,
        prefix_group_id: bool = True,
        parent_group: "TaskGroup | None" = None,
        dag: "DAG | None" = None,
        default_args: Mapping[str, Any] | None = None,
        tooltip: str = "",
        ui_color: str = "CornflowerBlue",
        ui_fgcolor: str = "#000",
        add_suffix_on_collision: bool = False,
        group_display_name: str = "",
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, _KEYWORDS, where=f"TaskGroup {group_id!r}")
        self.prefix_group_id = prefix_group_id
        self.default_args: dict[str, Any] = dict(default_args or {})
        self.tooltip, self.ui_color, self.ui_fgcolor = tooltip, ui_color, ui_fgcolor
        self.group_display_name = group_display_name
        self.children: dict[str, TaskNode | TaskGroup] = {}
        if group_id is None:
            self._group_id: str | None = None
            self.parent_group: TaskGroup | None = None
            self._dag = dag
            self.used_group_ids: set[str] = set()
            return
        self._dag = dag or (parent_group.dag if parent_group else current_dag())
        parent = parent_group or current_group(self._dag)
        if self._dag is None or parent is None:
            raise InvalidDag(f"task group {group_id!r} is in no DAG: create it in a `with DAG(…)` block or pass dag=")
        group_id = check_identifier(group_id, what="task group id")
        self.parent_group = parent
        self.used_group_ids = parent.used_group_ids
        self._group_id = self._free_id(parent.child_id(group_id), add_suffix_on_collision)
        parent.add(self)

    @classmethod
    def create_root(cls, dag: "DAG") -> "TaskGroup":
        """Return the group that holds everything of `dag`."""
        return cls(None, dag=dag)

    @property
    def group_id(self) -> str | None:
        """The full id, with the prefixes of the groups around it; None for the root."""
        return self._group_id

    @property
    def node_id(self) -> str | None:
        """The id in the graph, which is the group id."""
        return self._group_id

    @property
    def dag(self) -> "DAG | None":
        """The DAG the group is in."""
        return self._dag

    @property
    def is_root(self) -> bool:
        """True for the group that is the whole DAG."""
        return self._group_id is None

    @property
    def label(self) -> str | None:
        """The id without the prefixes of the groups around it."""
        parent = self.parent_group
        if self._group_id and parent and parent.group_id and parent.prefix_group_id:
            return self._group_id.removeprefix(f"{parent.group_id}.")
        return self._group_id

    def child_id(self, label: str) -> str:
        """Return the full id of something called `label` in this group."""
        if self._group_id is None:
            return label
        if self.prefix_group_id:
            return f"{self._group_id}.{label}"
        return self.parent_group.child_id(label) if self.parent_group else label

    def add(self, child: "TaskNode | TaskGroup") -> None:
        """Put a task or group into this one; raise DuplicateTaskIdFound where its id is taken."""
        node_id = child.node_id
        if node_id is None:
            raise InvalidDag(f"the root group of a DAG cannot be put into task group {self._group_id!r}")
        taken = self.used_group_ids if isinstance(child, TaskNode) else self.children
        if node_id in self.children or node_id in taken:
            raise DuplicateTaskIdFound(f"{node_id!r} is the id of a task or group already; give each its own id")
        if isinstance(child, TaskGroup):
            self.used_group_ids.add(node_id)
        self.children[node_id] = child

    def iter_tasks(self) -> Iterator[TaskNode]:
        """Yield every task in the group and the groups in it."""
        for child in self.children.values():
            if isinstance(child, TaskGroup):
                yield from child.iter_tasks()
            else:
                yield child

    def get_child_by_label(self, label: str) -> "TaskNode | TaskGroup":
        """Return the child called `label` in this group."""
        return self.children[self.child_id(label)]

    def has_task(self, task: TaskNode) -> bool:
        """Return True where `task` is in this group or a group in it."""
        return any(task is inside for inside in self.iter_tasks())

    @property
    def roots(self) -> Sequence[TaskNode]:
        """The tasks of the group that wait for no other task of it."""
        inside = {task.task_id for task in self.iter_tasks()}
        return [task for task in self.iter_tasks() if not task.upstream_task_ids & inside]

    @property
    def leaves(self) -> Sequence[TaskNode]:
        """The tasks of the group that no other task of it waits for; what is behind the group passes by its teardowns.

        Instead of a teardown stands the work before it. A group without work is as long as its teardowns.
        """
        tasks = {task.task_id: task._as_operator() for task in self.iter_tasks()}
        found: dict[str, TaskNode] = {}
        last = [task for task in tasks.values() if not task.downstream_task_ids & tasks.keys()]
        pending = list(last)
        while pending:
            task = pending.pop(0)
            if not task.is_teardown:
                found[task.task_id] = task
                continue
            above = [tasks[task_id] for task_id in sorted(task.upstream_task_ids & tasks.keys())]
            pending += [one for one in above if not one.is_setup]
        return list(found.values()) or last

    def get_roots(self) -> Iterator[TaskNode]:
        """Yield `roots`."""
        yield from self.roots

    def get_leaves(self) -> Iterator[TaskNode]:
        """Yield `leaves`."""
        yield from self.leaves

    def __enter__(self) -> Self:
        enter_group(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave_group()

    def __repr__(self) -> str:
        return f"<TaskGroup: {self._group_id}>"

    def _free_id(self, wanted: str, may_add_suffix: bool) -> str:
        dag_tasks = self._dag.task_dict if self._dag else {}
        if wanted not in self.used_group_ids and wanted not in dag_tasks:
            return wanted
        if not may_add_suffix:
            raise DuplicateTaskIdFound(f"{wanted!r} is the id of a task or group already; give each its own id")
        base = re.split(r"__\d+$", wanted)[0]
        number = 1
        while f"{base}__{number}" in self.used_group_ids or f"{base}__{number}" in dag_tasks:
            number += 1
        return f"{base}__{number}"
