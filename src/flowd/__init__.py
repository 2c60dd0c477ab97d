"""flowd: Airflow DAGs in one asyncio process per node.

`from flowd import DAG, task, …` is what DAG files write. The names are imported on first use only: the server imports
this package too, and must not import the authoring code.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowd.operators.bash import BashOperator as BashOperator
    from flowd.operators.branch import BaseBranchOperator as BaseBranchOperator
    from flowd.operators.branch import BranchPythonOperator as BranchPythonOperator
    from flowd.operators.branch_dates import BranchDateTimeOperator as BranchDateTimeOperator
    from flowd.operators.branch_dates import BranchDayOfWeekOperator as BranchDayOfWeekOperator
    from flowd.operators.decorators import task as task
    from flowd.operators.empty import EmptyOperator as EmptyOperator
    from flowd.operators.guest_python import BranchExternalPythonOperator as BranchExternalPythonOperator
    from flowd.operators.guest_python import ExternalPythonOperator as ExternalPythonOperator
    from flowd.operators.latest_only import LatestOnlyOperator as LatestOnlyOperator
    from flowd.operators.python import PythonOperator as PythonOperator
    from flowd.operators.setup_teardown import setup as setup
    from flowd.operators.setup_teardown import teardown as teardown
    from flowd.operators.short_circuit import ShortCircuitOperator as ShortCircuitOperator
    from flowd.operators.virtualenv import BranchPythonVirtualenvOperator as BranchPythonVirtualenvOperator
    from flowd.operators.virtualenv import PythonVirtualenvOperator as PythonVirtualenvOperator
    from flowd.sdk.base_operator import BaseOperator as BaseOperator
    from flowd.sdk.connection import Connection as Connection
    from flowd.sdk.context import Context as Context
    from flowd.sdk.context import get_current_context as get_current_context
    from flowd.sdk.dag import DAG as DAG
    from flowd.sdk.dag_decorator import dag as dag
    from flowd.sdk.edges import chain as chain
    from flowd.sdk.edges import chain_linear as chain_linear
    from flowd.sdk.edges import cross_downstream as cross_downstream
    from flowd.sdk.hook import BaseHook as BaseHook
    from flowd.sdk.label import Label as Label
    from flowd.sdk.notifier import BaseNotifier as BaseNotifier
    from flowd.sdk.param import Param as Param
    from flowd.sdk.task_group import TaskGroup as TaskGroup
    from flowd.sdk.task_group_decorator import task_group as task_group
    from flowd.sdk.templates import literal as literal
    from flowd.sdk.variable import Variable as Variable
    from flowd.sdk.xcom_arg import XComArg as XComArg

__version__ = "0.1.0"

_HOME = {
    "BashOperator": "flowd.operators.bash",
    "BaseBranchOperator": "flowd.operators.branch",
    "BaseHook": "flowd.sdk.hook",
    "BaseNotifier": "flowd.sdk.notifier",
    "BaseOperator": "flowd.sdk.base_operator",
    "BranchDateTimeOperator": "flowd.operators.branch_dates",
    "BranchDayOfWeekOperator": "flowd.operators.branch_dates",
    "BranchExternalPythonOperator": "flowd.operators.guest_python",
    "BranchPythonOperator": "flowd.operators.branch",
    "BranchPythonVirtualenvOperator": "flowd.operators.virtualenv",
    "Connection": "flowd.sdk.connection",
    "Context": "flowd.sdk.context",
    "DAG": "flowd.sdk.dag",
    "EmptyOperator": "flowd.operators.empty",
    "ExternalPythonOperator": "flowd.operators.guest_python",
    "Label": "flowd.sdk.label",
    "LatestOnlyOperator": "flowd.operators.latest_only",
    "Param": "flowd.sdk.param",
    "PythonOperator": "flowd.operators.python",
    "PythonVirtualenvOperator": "flowd.operators.virtualenv",
    "ShortCircuitOperator": "flowd.operators.short_circuit",
    "TaskGroup": "flowd.sdk.task_group",
    "Variable": "flowd.sdk.variable",
    "XComArg": "flowd.sdk.xcom_arg",
    "chain": "flowd.sdk.edges",
    "chain_linear": "flowd.sdk.edges",
    "cross_downstream": "flowd.sdk.edges",
    "dag": "flowd.sdk.dag_decorator",
    "get_current_context": "flowd.sdk.context",
    "literal": "flowd.sdk.templates",
    "setup": "flowd.operators.setup_teardown",
    "task": "flowd.operators.decorators",
    "task_group": "flowd.sdk.task_group_decorator",
    "teardown": "flowd.operators.setup_teardown",
}
"""Where each public name lives."""

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'flowd' has no {name!r}; it offers {', '.join(sorted(_HOME))}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
