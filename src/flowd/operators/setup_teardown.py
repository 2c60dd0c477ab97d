"""@setup and @teardown: a function, or @task function, whose every call makes a setup or a teardown."""

import functools
from collections.abc import Callable
from typing import Any, overload

from flowd.domain.errors import InvalidDag
from flowd.operators.decorators import task
from flowd.operators.task_function import TaskFunction
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.task_group_decorator import TaskGroupFunction


def setup(function: Callable[..., Any]) -> TaskFunction:
    """Make a function a task that is a setup."""
    return _task_function(function, "setup").marked(lambda made: made.as_setup())


@overload
def teardown(function: Callable[..., Any], /) -> TaskFunction: ...
@overload
def teardown(
    function: None = None, *, on_failure_fail_dagrun: bool = False
) -> Callable[[Callable[..., Any]], TaskFunction]: ...


def teardown(function: Callable[..., Any] | None = None, *, on_failure_fail_dagrun: bool = False) -> Any:
    """Make a function a task that is a teardown: bare, or saying that its failure fails the run."""
    if function is None:
        return functools.partial(teardown, on_failure_fail_dagrun=on_failure_fail_dagrun)

    def mark(made: BaseOperator) -> BaseOperator:
        return made.as_teardown(on_failure_fail_dagrun=on_failure_fail_dagrun)

    return _task_function(function, "teardown").marked(mark)


def _task_function(function: Callable[..., Any], name: str) -> TaskFunction:
    if isinstance(function, TaskGroupFunction):
        raise InvalidDag(
            f"@{name} was put before task group {function.__name__!r}; only single tasks are setups or teardowns"  # type: ignore[attr-defined]
        )
    return function if isinstance(function, TaskFunction) else task(function)
