"""SkipMixin and BranchMixIn: operators that skip tasks behind them."""

from collections.abc import Iterable
from typing import Any

from flowd.operators.branch import follow
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import get_current_context


class SkipMixin:
    """Lets an operator skip tasks of its run."""

    def skip(self, *of_run: Any, tasks: Iterable[Any] = (), **_: Any) -> None:
        """Skip these tasks: `skip(ti, tasks)`, or `skip(dag_run, execution_date, tasks)` as in Airflow 2."""
        skipped = [*(of_run[-1] if len(of_run) > 1 and not tasks else ()), *tasks]
        get_current_context()["ti"].skip([task.task_id for task in skipped if isinstance(task, BaseOperator)])

    def skip_all_except(self, ti: Any, branch_task_ids: Any) -> None:
        """Skip every direct downstream task but these and those behind them; None skips all."""
        is_many = branch_task_ids is not None and not isinstance(branch_task_ids, str)
        follow(ti.task, list(branch_task_ids) if is_many else branch_task_ids, get_current_context())


class BranchMixIn(SkipMixin):
    """Lets an operator choose which of the tasks behind it go on."""

    def do_branch(self, context: Any, branches_to_execute: Any) -> Any:
        """Skip what was not chosen, and return the choice."""
        return follow(context["task"], branches_to_execute, context)
