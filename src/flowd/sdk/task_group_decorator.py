"""@task_group: a function whose call makes a task group of the tasks called within it."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, overload

from flowd.domain.errors import InvalidDag
from flowd.sdk.expand_input import CrossedInput, ExpandInput, TogetherInput
from flowd.sdk.mapped_task_group import MappedArgument, MappedTaskGroup
from flowd.sdk.task_group import TaskGroup


class TaskGroupFunction:
    """A decorated function: each call makes a group, and returns what the function returns, or the group."""

    def __init__(
        self, function: Callable[..., Any], keywords: dict[str, Any], shared: dict[str, Any] | None = None
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._keywords = keywords
        self._shared = shared or {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._filled(TaskGroup, args, kwargs)

    def _filled(self, kind: Callable[..., TaskGroup], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        keywords = {"group_id": self._function.__name__, "add_suffix_on_collision": True, **self._keywords}
        if not keywords.get("tooltip") and self._function.__doc__:
            keywords["tooltip"] = self._function.__doc__
        with kind(**keywords) as group:
            returned = self._function(*args, **kwargs)
        return group if returned is None else returned

    def override(self, **keywords: Any) -> "TaskGroupFunction":
        """Return the function with other keywords of TaskGroup."""
        return TaskGroupFunction(self._function, {**self._keywords, **keywords}, self._shared)

    def partial(self, **kwargs: Any) -> "TaskGroupFunction":
        """Begin a mapped group with the arguments that are the same for all items."""
        return TaskGroupFunction(self._function, self._keywords, {**self._shared, **kwargs})

    def expand(self, **values: Any) -> Any:
        """Make a mapped group: of each of its tasks an instance for every combination of the values.

        The function is called once, with stand-ins for these. Raises InvalidDag for arguments it does not take.
        """
        return self._expanded(CrossedInput(values, self._where))

    def expand_kwargs(self, kwargs: Any, /, *, strict: bool = True) -> Any:
        """Make a mapped group, with an instance of each task for each dict of arguments."""
        return self._expanded(TogetherInput(kwargs, self._where))

    def _expanded(self, expand_input: ExpandInput) -> Any:
        signature = inspect.signature(self._function)
        names = expand_input.names
        if names is None:
            names = tuple(name for name in signature.parameters if name not in self._shared)
        twice = [name for name in names if name in self._shared]
        if twice:
            raise InvalidDag(f"{self._where}: argument {twice[0]!r} is in partial() and in expand(); give it once")
        arguments = {**self._shared, **{name: MappedArgument(expand_input, name) for name in names}}
        try:
            signature.bind(**arguments)
        except TypeError as error:
            raise InvalidDag(f"{self._where}{signature}: {error}") from error
        return self._filled(functools.partial(MappedTaskGroup, expand_input=expand_input), (), arguments)

    @property
    def _where(self) -> str:
        return f"@task_group {self._function.__name__!r}"


@overload
def task_group(group_id: Callable[..., Any], /) -> TaskGroupFunction: ...
@overload
def task_group(group_id: str | None = None, **keywords: Any) -> Callable[[Callable[..., Any]], TaskGroupFunction]: ...


def task_group(group_id: Any = None, **keywords: Any) -> Any:
    """Make a function a task group: bare, or with the keywords of TaskGroup."""
    if callable(group_id):
        return TaskGroupFunction(group_id, {})
    if group_id:
        keywords["group_id"] = group_id
    return functools.partial(TaskGroupFunction, keywords=keywords)
