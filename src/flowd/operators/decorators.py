"""@task: a Python function as a task; calling it makes the task and returns its output."""

from collections.abc import Callable
from typing import Any, overload

from flowd.operators.conditions import run_if, skip_if
from flowd.operators.decorated import (
    DecoratedBranchOperator,
    DecoratedOperator,
    DecoratedSensorOperator,
    DecoratedShortCircuitOperator,
)
from flowd.operators.decorated_bash import DecoratedBashOperator
from flowd.operators.decorated_guests import (
    DecoratedBranchExternalPythonOperator,
    DecoratedBranchVirtualenvOperator,
    DecoratedExternalPythonOperator,
    DecoratedVirtualenvOperator,
)
from flowd.operators.task_function import TaskFunction
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.keywords import nearest
from flowd.sdk.provider_packages import import_dotted, task_decorators


class TaskDecorator:
    """`@task` and, as attributes, its variants."""

    def __init__(self, operator: type[BaseOperator]) -> None:
        self._operator = operator

    @overload
    def __call__(self, python_callable: Callable[..., Any], /, **keywords: Any) -> TaskFunction: ...
    @overload
    def __call__(
        self, python_callable: None = None, /, **keywords: Any
    ) -> Callable[[Callable[..., Any]], TaskFunction]: ...

    def __call__(self, python_callable: Callable[..., Any] | None = None, /, **keywords: Any) -> Any:
        """Make a function a task: bare, or with the keywords of an operator."""
        if python_callable is not None:
            return TaskFunction(python_callable, self._operator, keywords)
        return lambda function: TaskFunction(function, self._operator, keywords)


class TaskDecorators(TaskDecorator):
    """`task`, with `task.python`, `task.bash`, `task.branch`, `task.virtualenv` and the other variants."""

    def __init__(self) -> None:
        super().__init__(DecoratedOperator)
        self.python = TaskDecorator(DecoratedOperator)
        self.bash = TaskDecorator(DecoratedBashOperator)
        self.branch = TaskDecorator(DecoratedBranchOperator)
        self.short_circuit = TaskDecorator(DecoratedShortCircuitOperator)
        self.sensor = TaskDecorator(DecoratedSensorOperator)
        self.virtualenv = TaskDecorator(DecoratedVirtualenvOperator)
        self.external_python = TaskDecorator(DecoratedExternalPythonOperator)
        self.branch_virtualenv = TaskDecorator(DecoratedBranchVirtualenvOperator)
        self.branch_external_python = TaskDecorator(DecoratedBranchExternalPythonOperator)
        self.run_if, self.skip_if = run_if, skip_if

    def __getattr__(self, name: str) -> Any:
        # Nothing that Python itself asks for is a variant, and looking for one reads every installed provider.
        provided = None if name.startswith("_") else task_decorators().get(name)
        if provided is not None:
            return import_dotted(provided)
        known = tuple(vars(self).keys() - {"_operator"})
        raise AttributeError(
            f"@task.{name} is not in this version of flowd{nearest(name, known)}; there are @task, "
            f"{', '.join(f'@task.{variant}' for variant in sorted(known))}, and those of the providers that are"
            " installed beside it"
        )


task = TaskDecorators()
