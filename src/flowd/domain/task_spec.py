"""TaskSpec: one task of a DAG as the scheduler knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flowd.domain.assets import AliasSpec, AssetSpec, condition_from_json, condition_to_json, leaves
from flowd.domain.ids import TaskId
from flowd.domain.map_length import Expansion, expansion_from_json, expansion_to_json
from flowd.domain.retry import RetryPolicy
from flowd.domain.trigger_rules import TriggerRule
from flowd.domain.work import NoWork, Work, work_from_json, work_to_json

DEFAULT_POOL = "default_pool"
DEFAULT_QUEUE = "default"


class OnLost(StrEnum):
    """What follows when the worker of a running try falls silent: at least once, or at most once."""

    RETRY = "retry"
    FAIL = "fail"


class TaskRole(StrEnum):
    """What a task is to its neighbours: work, or what prepares it, or what takes away again what was prepared."""

    WORK = "work"
    SETUP = "setup"
    TEARDOWN = "teardown"


class StartMethod(StrEnum):
    """How a Python task's process begins: forked from a warm interpreter, or a new interpreter."""

    FORK = "fork"
    SPAWN = "spawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One task: what it does, what it waits for, and the limits it runs under.

    `upstream` holds the direct upstream task ids. `priority` is the effective weight (the weight rule is applied when
    the DAG is parsed). With `waits_for_downstream` it depends on its past, and on that of the tasks directly below it.
    `on_failure_fail_dagrun` lets a teardown decide about its run as other tasks do. `start_date` and `end_date` are
    those that it has beside the DAG's: a run whose logical date lies outside of them is without it. `presentation` is
    what only pages show: owner, doc_md, label, colours, group.
    """

    task_id: TaskId
    operator: str
    work: Work = field(default_factory=NoWork)
    upstream: tuple[TaskId, ...] = ()
    trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    execution_timeout: timedelta | None = None
    pool: str = DEFAULT_POOL
    pool_slots: int = 1
    priority: int = 1
    queue: str = DEFAULT_QUEUE
    depends_on_past: bool = False
    waits_for_downstream: bool = False
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None
    on_lost: OnLost = OnLost.RETRY
    start_method: StartMethod = StartMethod.FORK
    role: TaskRole = TaskRole.WORK
    on_failure_fail_dagrun: bool = False
    expansion: Expansion | None = None
    outlets: tuple[AssetSpec | AliasSpec, ...] = ()
    inlets: tuple[AssetSpec | AliasSpec, ...] = ()
    start_date: datetime | None = None
    end_date: datetime | None = None
    presentation: Mapping[str, Any] = field(default_factory=dict)


def task_to_json(task: TaskSpec) -> dict[str, Any]:
    """Return `task` as JSON values; its role is left out where it is work, as is what it has not."""
    timeout = task.execution_timeout
    document: dict[str, Any] = {
        "task_id": task.task_id,
        "operator": task.operator,
        "work": work_to_json(task.work),
        "upstream": list(task.upstream),
        "trigger_rule": task.trigger_rule.value,
        "retry": task.retry.to_json(),
        "execution_timeout": None if timeout is None else timeout.total_seconds(),
        "pool": task.pool,
        "pool_slots": task.pool_slots,
        "priority": task.priority,
        "queue": task.queue,
        "depends_on_past": task.depends_on_past,
        "max_active_tis_per_dag": task.max_active_tis_per_dag,
        "max_active_tis_per_dagrun": task.max_active_tis_per_dagrun,
        "on_lost": task.on_lost.value,
        "start_method": task.start_method.value,
        "outlets": [condition_to_json(one) for one in task.outlets],
        "inlets": [condition_to_json(one) for one in task.inlets],
        "presentation": dict(task.presentation),
    }
    if task.role is not TaskRole.WORK:
        document["role"] = task.role.value
    if task.waits_for_downstream:
        document["waits_for_downstream"] = True
    if task.on_failure_fail_dagrun:
        document["on_failure_fail_dagrun"] = True
    if task.start_date is not None:
        document["start_date"] = task.start_date.isoformat()
    if task.end_date is not None:
        document["end_date"] = task.end_date.isoformat()
    if task.expansion is not None:
        document["expansion"] = expansion_to_json(task.expansion)
    return document


def task_from_json(document: Mapping[str, Any]) -> TaskSpec:
    """Return the task that `task_to_json` wrote."""
    timeout = document["execution_timeout"]
    return TaskSpec(
        task_id=TaskId(document["task_id"]),
        operator=document["operator"],
        work=work_from_json(document["work"]),
        upstream=tuple(TaskId(upstream) for upstream in document["upstream"]),
        trigger_rule=TriggerRule(document["trigger_rule"]),
        retry=RetryPolicy.from_json(document["retry"]),
        execution_timeout=None if timeout is None else timedelta(seconds=timeout),
        pool=document["pool"],
        pool_slots=document["pool_slots"],
        priority=document["priority"],
        queue=document["queue"],
        depends_on_past=document["depends_on_past"],
        waits_for_downstream=document.get("waits_for_downstream", False),
        max_active_tis_per_dag=document["max_active_tis_per_dag"],
        max_active_tis_per_dagrun=document["max_active_tis_per_dagrun"],
        on_lost=OnLost(document["on_lost"]),
        start_method=StartMethod(document["start_method"]),
        role=TaskRole(document.get("role", TaskRole.WORK)),
        on_failure_fail_dagrun=document.get("on_failure_fail_dagrun", False),
        expansion=expansion_from_json(document["expansion"]) if "expansion" in document else None,
        outlets=_leaves(document["outlets"]),
        inlets=_leaves(document["inlets"]),
        start_date=_moment(document.get("start_date")),
        end_date=_moment(document.get("end_date")),
        presentation=document["presentation"],
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _leaves(documents: Sequence[Mapping[str, Any]]) -> tuple[AssetSpec | AliasSpec, ...]:
    return tuple(leaf for document in documents for leaf in leaves(condition_from_json(document)))
