"""The operators behind @task and its variants."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, get_type_hints

from flowd.domain.errors import InvalidDag
from flowd.operators.branch import BranchPythonOperator
from flowd.operators.call_arguments import signature_of
from flowd.operators.python import PythonOperator
from flowd.operators.short_circuit import ShortCircuitOperator
from flowd.sdk.base_sensor import BaseSensorOperator, PokeReturnValue
from flowd.sdk.context import CONTEXT_KEYS, Context
from flowd.sdk.dag import DAG
from flowd.sdk.dag_context import current_dag, current_group, is_detached
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.task_group import TaskGroup


class DecoratedOperator(PythonOperator):
    """A task made by calling an @task function; its arguments are checked when the DAG is written."""

    custom_operator_name = "@task"
    template_fields: Sequence[str] = ("templates_dict", "op_args", "op_kwargs")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        task_id: str,
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        dag: DAG | None = None,
        task_group: TaskGroup | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(python_callable, op_args or (), op_kwargs or {})
        super().__init__(
            python_callable=python_callable,
            task_id=unused_id(task_id, dag, task_group),
            op_args=op_args,
            op_kwargs=op_kwargs,
            dag=dag,
            task_group=task_group,
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Call the function; with multiple outputs it must return a dict with text as keys."""
        returned = super().execute(context)
        if self.multiple_outputs and returned is not None:
            if not isinstance(returned, Mapping):
                raise AirflowException(
                    f"task {self.task_id!r} has multiple_outputs and returned {type(returned).__name__}; wanted a dict"
                )
            if not all(isinstance(key, str) for key in returned):
                raise AirflowException(f"task {self.task_id!r} has multiple_outputs: all keys it returns must be text")
        return returned


class DecoratedBranchOperator(DecoratedOperator, BranchPythonOperator):
    """@task.branch."""

    custom_operator_name = "@task.branch"


class DecoratedShortCircuitOperator(DecoratedOperator, ShortCircuitOperator):
    """@task.short_circuit."""

    custom_operator_name = "@task.short_circuit"


class DecoratedSensorOperator(DecoratedOperator, BaseSensorOperator):
    """@task.sensor: the function is the poke."""

    custom_operator_name = "@task.sensor"

    def execute(self, context: Context) -> Any:
        """Call the function until it returns something true, and return the XCom value that came with it."""
        return BaseSensorOperator.execute(self, context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Call the function."""
        returned = DecoratedOperator.execute(self, context)
        return returned if isinstance(returned, PokeReturnValue) else PokeReturnValue(bool(returned))


def returns_a_dict(function: Callable[..., Any]) -> bool:
    """Return True where the function's annotation says that it returns a dict or TypedDict."""
    try:
        returned = get_type_hints(function).get("return")
    except (NameError, TypeError):
        return False
    origin = getattr(returned, "__origin__", returned)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def check_arguments(function: Callable[..., Any], args: Collection[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise InvalidDag where `function` cannot be called with these arguments and what the context gives."""
    signature = signature_of(function)
    given = {name: kwargs.get(name) for name in kwargs.keys() | (signature.parameters.keys() & CONTEXT_KEYS)}
    positional = list(signature.parameters)[: len(args)]
    try:
        signature.bind(
            *args, **{name: value for name, value in given.items() if name in kwargs or name not in positional}
        )
    except TypeError as error:
        raise InvalidDag(f"@task {getattr(function, '__name__', function)!r}{signature}: {error}") from error


def unused_id(task_id: str, dag: DAG | None, group: TaskGroup | None) -> str:
    """Return `task_id`, with a number behind it where the DAG has a task of that id."""
    if is_detached():
        return task_id
    dag = dag or (group.dag if group else None) or current_dag()
    group = group or current_group(dag)
    if dag is None:
        return task_id
    prefixed = group.child_id if group else str
    if prefixed(task_id) not in dag.task_dict:
        return task_id
    base = re.split(r"__\d+$", task_id)[0]
    number = 1
    while prefixed(f"{base}__{number}") in dag.task_dict:
        number += 1
    return f"{base}__{number}"
