"""TaskFunction: a Python function that was decorated with @task, and what its calls make."""

import functools
from collections.abc import Callable
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.operators.decorated import DecoratedOperator, check_arguments, returns_a_dict, unused_id
from flowd.operators.decorated_guests import DecoratedExternalPythonOperator, DecoratedVirtualenvOperator
from flowd.sdk.base_operator import BaseOperator, MappedOperator
from flowd.sdk.expand_input import CrossedInput, ExpandInput, TogetherInput
from flowd.sdk.mapped_call import MappedCall
from flowd.sdk.operator_partial import OperatorPartial
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
        made = self.operator_class(python_callable=self.function, op_args=args, op_kwargs=kwargs, **self._of_task())
        return (made if self._mark is None else self._mark(made)).output

    def _of_task(self) -> dict[str, Any]:
        """Return the keywords of a task of this function."""
        keywords = {"doc_md": self.function.__doc__, **self._keywords}
        keywords.setdefault("task_id", self.function.__name__)
        if keywords.get("multiple_outputs") is None:
            is_plain = self.operator_class in _RETURNING
            keywords["multiple_outputs"] = is_plain and returns_a_dict(self.function)
        return keywords

    def override(self, **keywords: Any) -> "TaskFunction":
        """Return the function as a task with these keywords over the present ones."""
        return TaskFunction(self.function, self.operator_class, {**self._keywords, **keywords}, self._mark)

    def marked(self, mark: Callable[[BaseOperator], BaseOperator]) -> "TaskFunction":
        """Return the function so that `mark` is called with each task that it makes: a setup or a teardown."""
        return TaskFunction(self.function, self.operator_class, self._keywords, mark)

    def first(self, hook: Callable[[Any], None]) -> "TaskFunction":
        """Return the function so that `hook` is called with the context before it runs, behind hooks it has already."""
        earlier = self._keywords.get("pre_execute")

        def hooks(context: Any) -> None:
            for one in filter(None, (earlier, hook)):
                one(context)

        return self.override(pre_execute=hooks)

    def partial(self, **kwargs: Any) -> "PartialTaskFunction":
        """Begin a mapped task with the arguments that all its instances share."""
        return PartialTaskFunction(self.function, self.operator_class, self._of_task(), self._mark, kwargs)

    def expand(self, **values: Any) -> XComArg:
        """Make a mapped task, with an instance for every combination of the values; return its outputs."""
        return self.partial().expand(**values)

    def expand_kwargs(self, kwargs: Any, /, *, strict: bool = True) -> XComArg:
        """Make a mapped task, with an instance for each dict of arguments; return its outputs."""
        return self.partial().expand_kwargs(kwargs, strict=strict)


class PartialTaskFunction:
    """What `.partial(…)` of an @task function returns."""

    def __init__(
        self,
        function: Callable[..., Any],
        operator: type[BaseOperator],
        keywords: dict[str, Any],
        mark: Callable[[BaseOperator], BaseOperator] | None,
        shared: dict[str, Any],
    ) -> None:
        self._function, self._operator, self._keywords = function, operator, keywords
        self._mark = mark
        self._shared = shared

    def expand(self, **values: Any) -> XComArg:
        """Make the mapped task; raise InvalidDag for arguments that the function does not take."""
        where = f"@task {self._function.__name__!r}"
        return self._expanded(CrossedInput(values, where), where)

    def expand_kwargs(self, kwargs: Any, /, *, strict: bool = True) -> XComArg:
        """Make the mapped task; raise InvalidDag for what is no list of dicts and no output."""
        where = f"@task {self._function.__name__!r}"
        return self._expanded(TogetherInput(kwargs, where), where)

    def _expanded(self, expand_input: ExpandInput, where: str) -> XComArg:
        keywords = {**self._keywords, "python_callable": self._function, "op_kwargs": self._shared}
        keywords["task_id"] = unused_id(keywords["task_id"], keywords.get("dag"), keywords.get("task_group"))
        call = MappedCall(self._operator, keywords, where=where, argument="op_kwargs")
        names = expand_input.names
        if names is not None:
            call.check(names)
            check_arguments(self._function, (), {**self._shared, **dict.fromkeys(names)})
        made = OperatorPartial(call, MappedOperator).expanded(expand_input)
        return (made if self._mark is None else self._mark(made)).output
