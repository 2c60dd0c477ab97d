"""From an operator to the TaskSpec that the scheduler knows."""

from typing import Any

from flowd.domain.assets import AliasSpec, AssetSpec, leaves
from flowd.domain.errors import InvalidDag
from flowd.domain.ids import TaskId
from flowd.domain.map_length import Expansion
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_spec import OnLost, StartMethod, TaskRole, TaskSpec
from flowd.domain.trigger_rules import parse_trigger_rule
from flowd.domain.work import BashWork, PythonWork, Work
from flowd.sdk.assets import BaseAsset
from flowd.sdk.base_operator import BaseOperator, MappedOperator
from flowd.sdk.callbacks import TASK_CALLBACKS
from flowd.sdk.moments import plain_utc
from flowd.sdk.plain_json import plain_json
from flowd.sdk.priority import weight_rule_of
from flowd.sdk.unsupported import check_task


def spec_of_task(task: BaseOperator, file: str, priority: int) -> TaskSpec:
    """Return the spec of `task` with its effective priority.

    Raises InvalidDag, naming the task, for a value that cannot be.
    """
    check_task(task)
    begins, ends = task.dag.first_start_date, task.dag.end_date
    try:
        retry = RetryPolicy(
            retries=task.retries,
            delay=task.retry_delay,
            exponential_backoff=task.retry_exponential_backoff,
            max_delay=task.max_retry_delay,
        )
        trigger_rule = parse_trigger_rule(str(getattr(task.trigger_rule, "value", task.trigger_rule)))
        on_lost, start_method = OnLost(task.on_lost), StartMethod(task.start_method)
    except (InvalidDag, ValueError) as error:
        raise InvalidDag(f"task {task.task_id!r}: {error}") from error
    return TaskSpec(
        task_id=TaskId(task.task_id),
        operator=task.operator_name,
        work=_work(task, file),
        upstream=tuple(TaskId(task_id) for task_id in sorted(task.upstream_task_ids)),
        trigger_rule=trigger_rule,
        retry=retry,
        execution_timeout=task.execution_timeout,
        pool=task.pool,
        pool_slots=task.pool_slots,
        priority=priority,
        queue=task.queue,
        depends_on_past=task.depends_on_past,
        waits_for_downstream=task.wait_for_downstream,
        max_active_tis_per_dag=task.max_active_tis_per_dag,
        max_active_tis_per_dagrun=task.max_active_tis_per_dagrun,
        on_lost=on_lost,
        start_method=start_method,
        role=_role(task),
        on_failure_fail_dagrun=task.on_failure_fail_dagrun,
        expansion=_expansion(task),
        outlets=_assets(task.outlets),
        inlets=_assets(task.inlets),
        start_date=plain_utc(task.start_date) if begins and task.start_date and task.start_date > begins else None,
        end_date=plain_utc(task.end_date) if task.end_date and (ends is None or task.end_date < ends) else None,
        presentation=_presentation(task),
    )


def _work(task: BaseOperator, file: str) -> Work:
    plain = task.plain_work()
    if isinstance(plain, BashWork) and task.is_mapped_over:
        # Only in Python can it be refused that the script's last line is mapped over, which is no list.
        plain = None
    return plain or PythonWork(file=file, callable=task.callable_name)


def _expansion(task: BaseOperator) -> Expansion | None:
    if isinstance(task, MappedOperator):
        return Expansion(length=task.expand_input.length)
    group = task.mapped_group
    if group is None or group.expand_input is None:
        return None
    return Expansion(length=group.expand_input.length, group=group.group_id)


def _role(task: BaseOperator) -> TaskRole:
    if task.is_teardown:
        return TaskRole.TEARDOWN
    return TaskRole.SETUP if task.is_setup else TaskRole.WORK


def _assets(given: list[Any]) -> tuple[AssetSpec | AliasSpec, ...]:
    """Return the assets and aliases among what an author may put there for other tools too."""
    return tuple(leaf for one in given if isinstance(one, BaseAsset) for leaf in leaves(one.condition()))


def _presentation(task: BaseOperator) -> dict[str, Any]:
    group, operator = task.task_group, task.operator_class
    shown = operator if isinstance(task, MappedOperator) else task
    docs = {name: getattr(task, name) for name in ("doc", "doc_md", "doc_json", "doc_yaml", "doc_rst")}
    return {
        "owner": task.owner,
        "task_display_name": task.task_display_name,
        "label": task.label,
        "group": group.group_id if group else None,
        "operator_class": operator.__qualname__,
        "operator_module": operator.__module__,
        "ui_color": shown.ui_color,
        "ui_fgcolor": shown.ui_fgcolor,
        "template_fields": plain_json(shown.template_fields),
        "template_fields_renderers": plain_json(shown.template_fields_renderers),
        "params": _own_params(task),
        "priority_weight": task.priority_weight,
        "weight_rule": weight_rule_of(task),
        "do_xcom_push": task.do_xcom_push,
        "multiple_outputs": task.multiple_outputs,
        "wait_for_downstream": task.wait_for_downstream,
        "callbacks": [name for name in TASK_CALLBACKS if getattr(task, name)],
        **{name: plain_json(doc) for name, doc in docs.items() if doc is not None},
    }


def _own_params(task: BaseOperator) -> dict[str, Any]:
    of_dag = task.dag.params.params()
    own = {name: param for name, param in task.params.params().items() if param is not of_dag.get(name)}
    return {name: plain_json(param.dump()) for name, param in sorted(own.items())}
