"""Which DAG and task group are being written at the moment, and which DAGs a file has made."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowd.sdk.dag import DAG
    from flowd.sdk.task_group import TaskGroup

_dags: ContextVar[tuple["DAG", ...]] = ContextVar("dags", default=())
_groups: ContextVar[tuple["TaskGroup", ...]] = ContextVar("groups", default=())


_detached: ContextVar[bool] = ContextVar("detached", default=False)


def is_detached() -> bool:
    """Return True where operators that are made are no tasks of their own, but stand for one that the DAG has."""
    return _detached.get()


@contextmanager
def detached() -> Iterator[None]:
    """Make operators within the block that join no DAG and link nothing."""
    token = _detached.set(True)
    try:
        yield
    finally:
        _detached.reset(token)


def current_dag() -> "DAG | None":
    """Return the DAG of the innermost `with DAG(…)` block or @dag function."""
    stack = _dags.get()
    return stack[-1] if stack else None


def current_group(dag: "DAG | None") -> "TaskGroup | None":
    """Return the group that new things of `dag` belong to."""
    stack = _groups.get()
    if stack and (dag is None or stack[-1].dag is dag):
        return stack[-1]
    return dag.task_group if dag else None


def enter_dag(dag: "DAG") -> None:
    """Begin the block of `dag`."""
    _dags.set((*_dags.get(), dag))
    enter_group(dag.task_group)


def leave_dag() -> None:
    """End the innermost DAG block."""
    leave_group()
    finished = _dags.get()[-1]
    _dags.set(_dags.get()[:-1])
    register(finished)


def enter_group(group: "TaskGroup") -> None:
    """Begin the block of `group`."""
    _groups.set((*_groups.get(), group))


def leave_group() -> None:
    """End the innermost group block."""
    _groups.set(_groups.get()[:-1])


@dataclass(slots=True)
class Collection:
    """The DAGs that registered themselves while the module `module` was imported."""

    module: str
    dags: "list[DAG]" = field(default_factory=list)


_collection: ContextVar[Collection | None] = ContextVar("collection", default=None)


@contextmanager
def collecting(module: str) -> Iterator[Collection]:
    """Collect the DAGs made by the code of `module` within the block, but not by the modules it imports."""
    collection = Collection(module)
    # Another file's open blocks must not take this file's tasks.
    tokens = _dags.set(()), _groups.set(())
    collecting_token = _collection.set(collection)
    try:
        yield collection
    finally:
        _collection.reset(collecting_token)
        _dags.reset(tokens[0])
        _groups.reset(tokens[1])


def register(dag: "DAG") -> None:
    """Note that `dag` is complete, for the file being loaded."""
    collection = _collection.get()
    if collection is not None and dag.auto_register and _importing_module() == collection.module:
        collection.dags.append(dag)


def _importing_module() -> str | None:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else None
