"""@task_group: a function whose call makes a task group of the tasks called within it."""

import functools
from collections.abc import Callable
from typing import Any, NoReturn, overload

from flowd.domain.errors import InvalidDag
from flowd.sdk.task_group import TaskGroup


class TaskGroupFunction:
    """A decorated function: each call makes a group, and returns what the function returns, or the group."""

    def __init__(self, function: Callable[..., Any], keywords: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._keywords = keywords

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        keywords = {"group_id": self._function.__name__, "add_suffix_on_collision": True, **self._keywords}
        if not keywords.get("tooltip") and self._function.__doc__:
            keywords["tooltip"] = self._function.__doc__
        with TaskGroup(**keywords) as group:
            returned = self._function(*args, **kwargs)
        return group if returned is None else returned

    def override(self, **keywords: Any) -> "TaskGroupFunction":
        """Return the function with other keywords of TaskGroup."""
        return TaskGroupFunction(self._function, {**self._keywords, **keywords})

    def partial(self, **kwargs: Any) -> NoReturn:
        """Refuse to begin a mapped group."""
        self.expand()

    def expand(self, **kwargs: Any) -> NoReturn:
        """Refuse to map a group."""
        raise InvalidDag(
            f"@task_group {self._function.__name__!r} is mapped, which this version of flowd cannot run; "
            "call it once an item in a Python loop"
        )

    expand_kwargs = expand


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
