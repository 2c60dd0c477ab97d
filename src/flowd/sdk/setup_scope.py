"""SetupScope: the block of `with setup >> teardown:`, whose tasks run between the two."""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

from flowd.sdk.edges import connect

if TYPE_CHECKING:
    from flowd.sdk.task_node import TaskNode


class SetupScope:
    """Collects the tasks made in the block. At its end they are put behind its setups and before its teardowns."""

    def __init__(self, setups: "Sequence[TaskNode]", teardowns: "Sequence[TaskNode]") -> None:
        self._setups, self._teardowns = setups, teardowns
        self._tasks: dict[str, TaskNode] = {}

    def add_task(self, task: "TaskNode") -> None:
        """Count a task that was made elsewhere as one of the block."""
        for node in task.roots:
            self._tasks[node.task_id] = node

    def link(self) -> None:
        """Make the first tasks of the block wait for the setups, and the teardowns for its last ones."""
        inside = self._tasks.keys()
        first = [task for task in self._tasks.values() if not task.upstream_task_ids & inside]
        last = [task for task in self._tasks.values() if not task.downstream_task_ids & inside]
        connect(self._setups, first)
        connect(last, self._teardowns)

    def adopt_edges_of(self, inner: "SetupScope") -> None:
        """Count the setups and teardowns of a block within this one as tasks of this one."""
        for task in (*inner._setups, *inner._teardowns):
            self.add_task(task)


_scopes: ContextVar[tuple[SetupScope, ...]] = ContextVar("setup_scopes", default=())


def enter_scope(scope: SetupScope) -> SetupScope:
    """Begin a block, within the one that is open at the moment."""
    for outer in _scopes.get()[-1:]:
        outer.adopt_edges_of(scope)
    _scopes.set((*_scopes.get(), scope))
    return scope


def leave_scope(*, is_complete: bool) -> None:
    """End the innermost block; one that is not complete, because of an error, gets no edges."""
    *outer, scope = _scopes.get()
    _scopes.set(tuple(outer))
    if is_complete:
        scope.link()


def note_task(task: "TaskNode") -> None:
    """Count a task that is made now as one of the innermost block, where there is one."""
    for scope in _scopes.get()[-1:]:
        scope.add_task(task)
