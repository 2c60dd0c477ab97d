"""`@task.run_if` and `@task.skip_if`: whether a decorated function runs is asked when its task is about to."""

from collections.abc import Callable
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.operators.task_function import TaskFunction
from flowd.sdk.exceptions import AirflowSkipException

Condition = Callable[[Any], Any]
"""Is called with the context and answers a boolean, or a tuple of one and what the log is to say of a skipped task."""

_SKIPPED = "Task was skipped due to condition."


def run_if(condition: Condition, skip_message: str | None = None) -> Callable[[TaskFunction], TaskFunction]:
    """Decorate a task, above `@task`: it is skipped unless the condition is true of its context."""
    return _conditional("run_if", condition, skip_message, is_wanted=True)


def skip_if(condition: Condition, skip_message: str | None = None) -> Callable[[TaskFunction], TaskFunction]:
    """Decorate a task, above `@task`: it is skipped where the condition is true of its context."""
    return _conditional("skip_if", condition, skip_message, is_wanted=False)


def _conditional(
    name: str, condition: Condition, skip_message: str | None, *, is_wanted: bool
) -> Callable[[TaskFunction], TaskFunction]:
    def check(context: Any) -> None:
        found = condition(context)
        is_met, told = found if isinstance(found, tuple) else (found, None)
        if bool(is_met) is not is_wanted:
            raise AirflowSkipException(told or skip_message or _SKIPPED)

    def decorate(task: TaskFunction) -> TaskFunction:
        if not isinstance(task, TaskFunction):
            raise InvalidDag(f"@task.{name} stands before {task!r}, which is no task: put it above @task, not below")
        return task.first(check)

    return decorate
