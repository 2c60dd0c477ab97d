"""What providers and plugins make their own variants of @task with: DecoratedOperator and task_decorator_factory."""

import inspect
from collections.abc import Callable, Collection, Mapping, MutableMapping
from functools import partial, update_wrapper
from typing import Any

from flowd.operators.call_arguments import arguments_for
from flowd.operators.decorated import check_arguments, unused_id
from flowd.operators.decorators import TaskDecorator
from flowd.operators.function_source import source_of
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context


class DecoratedOperator(BaseOperator):
    """A task of a decorated function, to be put before the operator that does the work among a class's bases.

    That operator's `execute` is called by this one's; what the function is for, the subclass decides.
    """

    template_fields: Collection[str] = ("op_args", "op_kwargs")
    shallow_copy_attrs: Collection[str] = ("python_callable",)

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        task_id: str,
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        kwargs_to_upstream: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(python_callable, op_args or (), op_kwargs or {})
        self.python_callable = python_callable
        self.op_args, self.op_kwargs = list(op_args or ()), dict(op_kwargs or {})
        task_id = unused_id(task_id, kwargs.get("dag"), kwargs.get("task_group"))
        super().__init__(task_id=task_id, **(kwargs_to_upstream or {}), **kwargs)

    def determine_kwargs(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keywords that the function is to be called with: those of `context` that it names."""
        return arguments_for(self.python_callable, self.op_args, context)

    def get_python_source(self) -> str:
        """Return the function's source, at the left margin and without its @task."""
        return source_of(self.python_callable).text


def task_decorator_factory(
    python_callable: Callable[..., Any] | None = None,
    *,
    multiple_outputs: bool | None = None,
    decorated_operator_class: type[BaseOperator],
    **kwargs: Any,
) -> Any:
    """Return a function as a task of this operator class; without a function, the decorator that does so."""
    if multiple_outputs is not None:
        kwargs["multiple_outputs"] = multiple_outputs
    decorate = TaskDecorator(decorated_operator_class)
    return decorate(**kwargs) if python_callable is None else decorate(python_callable, **kwargs)


def is_async_callable(function: Any) -> bool:
    """Return True where calling `function` gives a coroutine."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def context_merge(context: MutableMapping[str, Any] | Context, *args: Any, **kwargs: Any) -> None:
    """Put these values into `context`, as `dict.update` would."""
    context.update(*args, **kwargs)


def make_kwargs_callable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` so that it may be called with more keywords than it names; these are left out."""

    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **arguments_for(function, args, kwargs))

    return update_wrapper(called, function)
