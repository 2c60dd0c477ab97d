"""@task.bash: a Python function that returns the command to run."""

from collections.abc import Callable
from typing import Any

from flowd.operators.bash import BashOperator
from flowd.operators.decorated import DecoratedOperator
from flowd.operators.python import PythonOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.templates import Renderer


class DecoratedBashOperator(DecoratedOperator, BashOperator):
    """Call the function, render what it returns, and run that with bash; takes the keywords of BashOperator."""

    custom_operator_name = "@task.bash"
    template_fields = ("templates_dict", "op_args", "op_kwargs", "env", "cwd")
    template_ext = BashOperator.template_ext
    template_fields_renderers = {  # noqa: RUF012
        **PythonOperator.template_fields_renderers, **BashOperator.template_fields_renderers,
    }  # fmt: skip
    ui_color = BashOperator.ui_color

    def __init__(self, *, python_callable: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(python_callable=python_callable, bash_command="", **kwargs)

    def execute(self, context: Context) -> Any:
        """Run the command that the function returns; raise AirflowException where it returns none."""
        command = PythonOperator.execute(self, context)
        if not isinstance(command, str) or not command.strip():
            raise AirflowException(f"@task.bash {self.task_id!r} returned {command!r}; wanted a command, as text")
        self.bash_command = Renderer(self.dag, context, tuple(self.template_ext)).render(command)
        return BashOperator.execute(self, context)

    @property
    def callable_name(self) -> str:
        """The function's name."""
        return PythonOperator.callable_name.fget(self)  # type: ignore[attr-defined,no-any-return]
