"""default_args: arguments an operator was not given are taken from its DAG and task groups.

Every `__init__` of an operator class is wrapped, so that each class of the chain gets the names that it accepts
itself, as Airflow does. The most specific wins: the argument, `default_args=`, the group's, the DAG's.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flowd.domain.errors import InvalidDag
from flowd.sdk.dag_context import current_dag, current_group

if TYPE_CHECKING:
    from flowd.sdk.dag import DAG
    from flowd.sdk.task_group import TaskGroup

_MARK = "__fills_from_default_args__"


def fill_from_default_args(init: Callable[..., None]) -> Callable[..., None]:
    """Return `init` so that it fills its missing keywords, and tells the operator when the outermost one is done."""
    if hasattr(init, _MARK):
        return init
    parameters = list(inspect.signature(init).parameters.values())[1:]
    accepted = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    required = [p.name for p in parameters if p.name in accepted and p.default is p.empty]
    passes_on = any(p.kind is p.VAR_KEYWORD for p in parameters) or "default_args" in accepted

    @functools.wraps(init)
    def filled(self: Any, *args: Any, **kwargs: Any) -> None:
        where = f"{type(self).__name__} {kwargs.get('task_id', '')!r}"
        if args:
            raise InvalidDag(f"{where}: arguments need their names, as in {type(self).__name__}(task_id='…')")
        defaults = merged_default_args(kwargs.get("dag"), kwargs.get("task_group"), kwargs.pop("default_args", None))
        for name in accepted:
            if name not in kwargs and name in defaults:
                kwargs[name] = defaults[name]
        missing = [name for name in required if name not in kwargs]
        if missing:
            raise InvalidDag(f"{where}: missing argument {', '.join(map(repr, missing))}")
        if passes_on:
            kwargs["default_args"] = defaults
        init(self, **kwargs)
        if type(self).__init__ is filled:
            self._constructed()

    setattr(filled, _MARK, True)
    return filled


def merged_default_args(dag: "DAG | None", group: "TaskGroup | None", own: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the default arguments that hold for a new operator, the most specific last."""
    dag = dag or (group.dag if group else None) or current_dag()
    merged: dict[str, Any] = {}
    if dag is not None:
        merged |= dag.default_args
        group = group or current_group(dag)
    lineage: list[TaskGroup] = []
    while group is not None:
        lineage.append(group)
        group = group.parent_group
    for ancestor in reversed(lineage):
        merged |= ancestor.default_args
    return merged | dict(own or {})


def accepted_keywords(cls: type) -> set[str]:
    """Return every keyword that some `__init__` of the class's ancestry accepts."""
    names: set[str] = set()
    for ancestor in cls.__mro__:
        if "__init__" in vars(ancestor) and ancestor is not object:
            names.update(inspect.signature(vars(ancestor)["__init__"]).parameters)
    return names - {"self", "args", "kwargs"}
