"""MappedTaskGroup: a task group of whose tasks there is an instance for each item, each waiting for its own."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.expand_input import ExpandInput
from flowd.sdk.resolvable import Resolvable
from flowd.sdk.task_group import TaskGroup


class MappedTaskGroup(TaskGroup):
    """What `.expand()` of a @task_group function makes; its tasks have one length and their map indexes in common."""

    def __init__(self, *, expand_input: ExpandInput, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        outer = self.parent_group
        while outer is not None:
            if outer.expand_input is not None:
                raise InvalidDag(
                    f"task group {self.group_id!r} is expanded within mapped task group {outer.group_id!r}: expand one "
                    "of the two, over the items of both"
                )
            outer = outer.parent_group
        self.expand_input: ExpandInput = expand_input

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if error is not None:
            return
        for upstream in self.expand_input.operators:
            upstream.set_downstream(self)
        for source in self.expand_input.sources:
            source.is_mapped_over = True


class MappedArgument(Resolvable):
    """What stands, while the DAG is written, for the value that one map index of a mapped group has of an argument."""

    def __init__(self, expand_input: ExpandInput, name: str) -> None:
        self._expand_input = expand_input
        self._name = name

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the value; raise AirflowException where the item is a dict that has not this argument."""
        arguments, _ = self._expand_input.at(context, context["ti"].map_index)
        if self._name not in arguments:
            index = context["ti"].map_index
            raise AirflowException(f"item {index} of the mapped task group has no argument {self._name!r}")
        return arguments[self._name]

    def __repr__(self) -> str:
        return f"MappedArgument({self._name!r})"
