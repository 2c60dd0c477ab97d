"""Shapes of the tasks of a DAG."""

from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import Field

from flowd.api.schemas.base import Shape
from flowd.domain.graph import Graph
from flowd.domain.ids import TaskId


class TimeDelta(Shape):
    """A duration as Airflow writes it."""

    type_: str = Field(default="TimeDelta", serialization_alias="__type")
    days: int
    seconds: int
    microseconds: int

    @classmethod
    def of(cls, delta: timedelta | None) -> Self | None:
        """Return the shape of a duration."""
        if delta is None:
            return None
        return cls(days=delta.days, seconds=delta.seconds, microseconds=delta.microseconds)


class TaskResponse(Shape):
    """A task."""

    class_ref: dict[str, Any] | None
    depends_on_past: bool
    doc_md: str | None
    downstream_task_ids: list[str] | None
    end_date: datetime | None
    execution_timeout: TimeDelta | None
    extra_links: tuple[str, ...] = ()
    is_mapped: bool | None = False
    operator_name: str | None
    owner: str | None
    params: dict[str, Any] | None
    pool: str | None
    pool_slots: int | None
    priority_weight: float | None
    queue: str | None
    retries: int | None
    retry_delay: TimeDelta | None
    retry_exponential_backoff: float
    start_date: datetime | None
    task_display_name: str | None
    task_id: str | None
    template_fields: list[str] | None
    trigger_rule: str | None
    ui_color: str | None
    ui_fgcolor: str | None
    wait_for_downstream: bool
    weight_rule: str | None

    @classmethod
    def of(cls, graph: Graph, task_id: TaskId) -> Self:
        """Return the shape of a task of this graph."""
        task = graph.tasks[task_id]
        shown = task.presentation
        return cls(
            class_ref={
                "module_path": shown.get("operator_module", ""),
                "class_name": shown.get("operator_class", task.operator),
            },
            depends_on_past=task.depends_on_past,
            doc_md=shown.get("doc_md"),
            downstream_task_ids=sorted(graph.downstream[task_id]),
            end_date=graph.dag.end_date,
            execution_timeout=TimeDelta.of(task.execution_timeout),
            is_mapped=task.expansion is not None,
            operator_name=task.operator,
            owner=shown.get("owner"),
            params=shown.get("params") or {},
            pool=task.pool,
            pool_slots=task.pool_slots,
            priority_weight=shown.get("priority_weight", task.priority),
            queue=task.queue,
            retries=task.retry.retries,
            retry_delay=TimeDelta.of(task.retry.delay),
            retry_exponential_backoff=float(task.retry.exponential_backoff),
            start_date=graph.dag.start_date,
            task_display_name=shown.get("task_display_name") or task_id,
            task_id=task_id,
            template_fields=list(shown.get("template_fields") or ()),
            trigger_rule=task.trigger_rule.value,
            ui_color=shown.get("ui_color"),
            ui_fgcolor=shown.get("ui_fgcolor"),
            wait_for_downstream=bool(shown.get("wait_for_downstream")),
            weight_rule=shown.get("weight_rule"),
        )


class TaskCollectionResponse(Shape):
    """The tasks of a DAG."""

    tasks: list[TaskResponse]
    total_entries: int
