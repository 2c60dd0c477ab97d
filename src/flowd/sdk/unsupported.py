"""What an author may write and flowd cannot honour: an error where the runs would differ, a warning where not."""

import warnings
from typing import Any, NamedTuple

from flowd.domain.errors import InvalidDag
from flowd.domain.trigger_rules import TriggerRule
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.dag import DAG
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.priority_strategy import strategy_of


class _Keyword(NamedTuple):
    name: str
    harmless: Any
    advice: str


_DAG_WARNINGS = (
    _Keyword("sla_miss_callback", None, "use dagrun_timeout and on_failure_callback"),
    _Keyword("allowed_run_types", None, "runs of every type can be made"),
    _Keyword("disable_bundle_versioning", False, "a run keeps the files it began with"),
    _Keyword("rerun_with_latest_version", None, "choose the version when you clear a run"),
)
_TASK_WARNINGS = (
    _Keyword("sla", None, "use execution_timeout"),
    _Keyword("schedule_interval", None, "a task has no schedule; give it to the DAG"),
    _Keyword("executor", None, "use queue to choose workers"),
    _Keyword("resources", None, "use pool and queue, and choose workers that have them"),
    _Keyword("wait_for_past_depends_before_skipping", False, "a task is skipped whatever the run before did"),
)


def check_dag(dag: DAG) -> None:
    """Raise InvalidDag for what `dag` asks and would not get; warn with DagWarning of what it loses harmlessly."""
    _warn(dag, _DAG_WARNINGS, f"DAG {dag.dag_id!r}")
    if dag.start_date is not None and dag.start_date.microsecond:
        warnings.warn(
            f"DAG {dag.dag_id!r}: start_date {dag.start_date.isoformat()} looks like the time of parsing, and differs "
            "each time; write a fixed date",
            DagWarning,
            stacklevel=2,
        )
    _check_fail_fast(dag)
    several = dag.deadline if isinstance(dag.deadline, (list, tuple)) else [dag.deadline]
    if any(getattr(getattr(one, "reference", None), "name", "") == "average_runtime" for one in several):
        warnings.warn(
            f"DAG {dag.dag_id!r}: a deadline after AVERAGE_RUNTIME has no effect; count it from the logical date or "
            "from when the run is queued",
            DagWarning,
            stacklevel=2,
        )


def check_task(task: BaseOperator) -> None:
    """Raise InvalidDag for what `task` asks and would not get; warn with DagWarning of what it loses harmlessly."""
    where = f"task {task.task_id!r}"
    _warn(task, _TASK_WARNINGS, where)
    strategy = strategy_of(task.weight_rule)
    if strategy is not None:
        name = type(strategy).__qualname__
        warnings.warn(f"{where}: weight_rule {name} is asked once, for the first try", DagWarning, stacklevel=2)
    _check_role(task, where)


def _check_fail_fast(dag: DAG) -> None:
    for task in dag.tasks if dag.fail_fast else ():
        if not task.is_teardown and task.trigger_rule != TriggerRule.ALL_SUCCESS:
            raise InvalidDag(
                f"DAG {dag.dag_id!r}: fail_fast=True, and task {task.task_id!r} has trigger_rule "
                f"{str(task.trigger_rule)!r}; where the first failure ends the run, every task has "
                f"{TriggerRule.ALL_SUCCESS}"
            )


def _check_role(task: BaseOperator, where: str) -> None:
    if task.is_teardown and task.trigger_rule != TriggerRule.ALL_DONE_SETUP_SUCCESS:
        raise InvalidDag(
            f"{where}: it is a teardown and has trigger_rule {str(task.trigger_rule)!r}; a teardown always runs once "
            f"all before it have ended ({TriggerRule.ALL_DONE_SETUP_SUCCESS})"
        )
    setups = [one.task_id for one in task.upstream_list if one.is_setup]
    if setups and not task.is_teardown and task.trigger_rule != TriggerRule.ALL_SUCCESS:
        raise InvalidDag(
            f"{where}: it follows setup {setups[0]!r} and has trigger_rule {str(task.trigger_rule)!r}; what directly "
            f"follows a setup has {TriggerRule.ALL_SUCCESS}"
        )


def _warn(thing: Any, keywords: tuple[_Keyword, ...], where: str) -> None:
    for keyword in keywords:
        if getattr(thing, keyword.name) != keyword.harmless:
            warnings.warn(f"{where}: {keyword.name} has no effect; {keyword.advice}", DagWarning, stacklevel=3)
