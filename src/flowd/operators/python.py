"""PythonOperator: calls a Python function."""

import inspect
from collections.abc import Callable, Collection, Coroutine, Generator, Mapping, Sequence
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.operators.call_arguments import arguments_for
from flowd.operators.returned_value import log_returned
from flowd.sdk.assets import Metadata
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context


class PythonOperator(BaseOperator):
    """Call `python_callable(*op_args, **op_kwargs)`; what it returns is the XCom.

    Parameters named like something in the context are given it, a `**kwargs` all of it. `templates_dict` is rendered
    and in the context.
    """

    template_fields: Sequence[str] = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}  # noqa: RUF012
    ui_color = "#ffefeb"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        templates_exts: Sequence[str] | None = None,
        show_return_value_in_logs: bool = True,
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
        if templates_exts:
            self.template_ext = tuple(templates_exts)
        self.show_return_value_in_logs = show_return_value_in_logs

    def execute(self, context: Context) -> Any:
        """Call the function and return what it returns."""
        context = context | {**self.op_kwargs, "templates_dict": self.templates_dict}
        returned = self.python_callable(*self.op_args, **arguments_for(self.python_callable, self.op_args, context))
        if inspect.iscoroutine(returned):
            returned = _run(returned)
        if inspect.isgenerator(returned):
            returned = self._exhausted(returned, context)
        if self.show_return_value_in_logs:
            log_returned(self.log, returned)
        return returned

    def _exhausted(self, generator: Generator[Any, Any, Any], context: Context) -> Any:
        """Return what a generator yields; with outlets, what it returns: what it yields is Metadata of theirs then."""
        if not self.outlets:
            return list(generator)
        while True:
            try:
                yielded = next(generator)
            except StopIteration as end:
                return end.value
            if isinstance(yielded, Metadata):
                context["outlet_events"].take(yielded)
            else:
                self.log.warning("Ignoring %r, which the task has yielded and which is no Metadata", yielded)

    @property
    def callable_name(self) -> str:
        """The function's name."""
        return getattr(self.python_callable, "__qualname__", type(self.python_callable).__qualname__)


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    from asyncio import run

    return run(coroutine)
