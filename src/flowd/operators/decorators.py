"""@task: a Python function as a task; calling it makes the task and returns its output."""

import functools
from collections.abc import Callable
from typing import Any, NoReturn, overload

from flowd.domain.errors import InvalidDag
from flowd.operators.decorated import (
    DecoratedBranchOperator,
    DecoratedOperator,
    DecoratedSensorOperator,
    DecoratedShortCircuitOperator,
    returns_a_dict,
)
from flowd.operators.decorated_bash import DecoratedBashOperator
from flowd.operators.decorated_guests import (
    DecoratedBranchExternalPythonOperator,
    DecoratedBranchVirtualenvOperator,
    DecoratedExternalPythonOperator,
    DecoratedVirtualenvOperator,
)
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.keywords import nearest
from flowd.sdk.provider_packages import import_dotted, task_decorators
from flowd.sdk.xcom_arg import XComArg

_RETURNING = (DecoratedOperator, DecoratedVirtualenvOperator, DecoratedExternalPythonOperator)
"""Operators whose function returns the task's own value: its annotation may say that there are several outputs."""


class TaskFunction:
    """A decorated function. Each call makes a task; `override` gives one with other keywords."""

    def __init__(
        self,
        function: Callable[..., Any],
        operator: type[BaseOperator],
        keywords: dict[str, Any],
        mark: Callable[[BaseOperator], BaseOperator] | None = None,
    ) -> None:
        if not callable(function):
            raise InvalidDag(f"@task was put before {function!r}, which is no function")
        functools.update_wrapper(self, function)
        self.function = function
        self.operator_class = operator
        self._keywords = keywords
        self._mark = mark

    def __call__(self, *args: Any, **kwargs: Any) -> XComArg:
        keywords = {"doc_md": self.function.__doc__, **self._keywords}
        keywords.setdefault("task_id", self.function.__name__)
        if keywords.get("multiple_outputs") is None:
            is_plain = self.operator_class in _RETURNING
            keywords["multiple_outputs"] = is_plain and returns_a_dict(self.function)
        made = self.operator_class(python_callable=self.function, op_args=args, op_kwargs=kwargs, **keywords)
        return (made if self._mark is None else self._mark(made)).output

    def override(self, **keywords: Any) -> "TaskFunction":
        """Return the function as a task with these keywords over the present ones."""
        return TaskFunction(self.function, self.operator_class, {**self._keywords, **keywords}, self._mark)

    def marked(self, mark: Callable[[BaseOperator], BaseOperator]) -> "TaskFunction":
        """Return the function so that `mark` is called with each task that it makes: a setup or a teardown."""
        return TaskFunction(self.function, self.operator_class, self._keywords, mark)

    def partial(self, **kwargs: Any) -> NoReturn:
        """Refuse to begin a mapped task."""
        self.expand()

    def expand(self, **kwargs: Any) -> NoReturn:
        """Refuse to map a task."""
        raise InvalidDag(
            f"@task {self.function.__name__!r} is mapped, which this version of flowd cannot run; "
            "loop over the items in one task, or call it once an item in a Python loop"
        )

    expand_kwargs = expand


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

    def __getattr__(self, name: str) -> Any:
        # Nothing that Python itself asks for is a variant, and looking for one reads every installed provider.
        provided = None if name.startswith("_") else task_decorators().get(name)
        if provided is not None:
            return import_dotted(provided)
        known = tuple(vars(self).keys() - {"_operator"})
        raise AttributeError(
            f"@task.{name} is not in this version of flowd{nearest(name, known)}; there are @task, "
            f"{', '.join(f'@task.{variant}' for variant in sorted(known))}"
        )


task = TaskDecorators()
