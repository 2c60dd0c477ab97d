"""PythonSensor: waits until a Python function returns something true."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.operators.call_arguments import arguments_for
from flowd.sdk.base_sensor import BaseSensorOperator, PokeReturnValue
from flowd.sdk.context import Context


class PythonSensor(BaseSensorOperator):
    """Poke by calling `python_callable(*op_args, **op_kwargs)`; parameters named like the context are given it."""

    template_fields: Sequence[str] = ("templates_dict", "op_args", "op_kwargs")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Sequence[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        provide_context: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(python_callable):
            raise InvalidDag(f"task {self.task_id!r}: python_callable is {python_callable!r}, which cannot be called")
        self.python_callable = python_callable
        self.op_args = op_args or ()
        self.op_kwargs = op_kwargs or {}
        self.templates_dict = templates_dict

    def poke(self, context: Context) -> PokeReturnValue:
        """Call the function."""
        context = context | {**self.op_kwargs, "templates_dict": self.templates_dict}
        returned = self.python_callable(*self.op_args, **arguments_for(self.python_callable, self.op_args, context))
        return returned if isinstance(returned, PokeReturnValue) else PokeReturnValue(bool(returned))

    @property
    def callable_name(self) -> str:
        """The function's name."""
        return getattr(self.python_callable, "__qualname__", type(self.python_callable).__qualname__)
