"""Branching: a task that chooses which of the tasks behind it go on."""

from typing import Any

from flowd.operators.python import PythonOperator
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.keywords import nearest
from flowd.sdk.task_group import TaskGroup


def follow(task: BaseOperator, chosen: Any, context: Context) -> Any:
    """Skip every direct downstream task but the chosen ones and those behind them; return `chosen`.

    `chosen` is a task id, the id of a task group, several of them, or None to skip all. Raises AirflowException for
    anything else, and for an id that is not directly downstream.
    """
    ids = [chosen] if isinstance(chosen, str) else [] if chosen is None else chosen
    if not isinstance(ids, (list, tuple, set)) or not all(isinstance(task_id, str) for task_id in ids):
        raise AirflowException(f"branch {task.task_id!r} returned {chosen!r}; wanted a task id, several, or None")
    followed = {followed for task_id in ids for followed in _tasks_of(task, task_id)}
    for task_id in list(followed):
        followed |= task.dag.get_task(task_id).get_flat_relative_ids(upstream=False)
    skipped = sorted(task.downstream_task_ids - followed)
    task.log.info("following %s, skipping %s", ids, skipped)
    context["ti"].skip(skipped)
    return chosen


def _tasks_of(task: BaseOperator, chosen: str) -> set[str]:
    groups: dict[str, TaskGroup] = task.dag.task_group_dict()
    tasks = {root.task_id for root in groups[chosen].roots} if chosen in groups else {chosen}
    if not tasks & task.downstream_task_ids:
        near = nearest(chosen, task.downstream_task_ids | groups.keys())
        raise AirflowException(
            f"branch {task.task_id!r} chose {chosen!r}, which is not directly downstream of it{near}"
        )
    return tasks & task.downstream_task_ids


class BaseBranchOperator(BaseOperator):
    """A branch whose subclass defines `choose_branch`."""

    def choose_branch(self, context: Context) -> Any:
        """Return the id of the task or group to follow, several, or None."""
        raise NotImplementedError(f"{type(self).__name__} must define choose_branch(self, context)")

    def execute(self, context: Context) -> Any:
        """Choose, and skip the rest."""
        return follow(self, self.choose_branch(context), context)


class BranchPythonOperator(PythonOperator):
    """A branch chosen by what a Python function returns."""

    def execute(self, context: Context) -> Any:
        """Call the function, and skip what it did not choose."""
        return follow(self, super().execute(context), context)
