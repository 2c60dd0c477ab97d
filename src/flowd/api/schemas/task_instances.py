"""Shapes of task instances and their tries."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from flowd.api.schemas.base import Body, Moment, Shape, as_uuid
from flowd.api.schemas.runs import DatesBody
from flowd.api.schemas.versions import DagVersionResponse
from flowd.api.storable import WholeNumber
from flowd.db.views.keyset import MOST_COUNTED, Stretch
from flowd.db.views.task_instances import InstanceView
from flowd.db.views.tries import TryView
from flowd.domain.states import TaskState


def shown_state(state: TaskState | None) -> TaskState | None:
    """Return the state as Airflow shows it: none is null."""
    return None if state is TaskState.NONE else state


class TaskInstanceResponse(Shape):
    """A task instance, at its current try."""

    id: UUID
    task_id: str
    task_display_name: str
    dag_id: str
    dag_display_name: str
    dag_run_id: str
    map_index: int
    logical_date: datetime | None
    run_after: datetime
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    state: TaskState | None
    try_number: int
    max_tries: int
    hostname: str | None
    unixname: str | None = None
    pool: str
    pool_slots: int
    queue: str | None
    priority_weight: int | None
    operator: str | None
    operator_name: str | None
    queued_when: datetime | None
    scheduled_when: datetime | None
    pid: int | None = None
    executor: str | None = None
    executor_config: str = "{}"
    note: str | None
    rendered_map_index: str | None = None
    rendered_fields: dict[str, Any]
    trigger: dict[str, Any] | None = None
    triggerer_job: dict[str, Any] | None = None
    dag_version: DagVersionResponse | None

    @classmethod
    def of(cls, instance: InstanceView) -> Self:
        """Return the shape of an instance."""
        return cls(
            id=as_uuid(instance.key),
            task_id=instance.task_id,
            task_display_name=instance.task_display_name,
            dag_id=instance.dag_id,
            dag_display_name=instance.dag_display_name,
            dag_run_id=instance.run_id,
            map_index=instance.map_index,
            note=instance.note,
            rendered_map_index=instance.rendered_map_index,
            logical_date=instance.logical_date,
            run_after=instance.run_after,
            start_date=instance.started_at,
            end_date=instance.ended_at,
            duration=instance.duration_seconds,
            state=shown_state(instance.state),
            try_number=instance.try_number,
            max_tries=instance.max_tries,
            hostname=instance.worker,
            pool=instance.pool,
            pool_slots=instance.pool_slots,
            queue=instance.queue,
            priority_weight=instance.priority,
            operator=instance.operator,
            operator_name=instance.operator,
            queued_when=instance.queued_at,
            scheduled_when=instance.scheduled_at,
            rendered_fields=instance.rendered_fields,
            dag_version=DagVersionResponse.of(instance.version, instance.dag_display_name),
        )


class TaskInstanceCollectionResponse(Shape):
    """A page of task instances."""

    task_instances: list[TaskInstanceResponse]
    total_entries: int
    total_entries_limit: int | None = None
    next_cursor: str | None = None
    previous_cursor: str | None = None

    @classmethod
    def of(cls, found: Stretch[InstanceView]) -> Self:
        """Return the shape of a page at a cursor."""
        return cls(
            task_instances=[TaskInstanceResponse.of(instance) for instance in found.items],
            total_entries=found.total,
            total_entries_limit=MOST_COUNTED,
            next_cursor=found.next_cursor,
            previous_cursor=found.previous_cursor,
        )


class TaskInstanceHistoryResponse(Shape):
    """One try of a task instance."""

    task_id: str
    task_display_name: str
    dag_id: str
    dag_display_name: str
    dag_run_id: str
    map_index: int
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    state: TaskState | None
    try_number: int
    max_tries: int
    hostname: str | None
    unixname: str | None = None
    pool: str
    pool_slots: int
    queue: str | None
    priority_weight: int | None
    operator: str | None
    operator_name: str | None
    queued_when: datetime | None
    scheduled_when: datetime | None = None
    pid: int | None = None
    executor: str | None = None
    executor_config: str = "{}"
    dag_version: DagVersionResponse | None
    # Beyond Airflow: what ended the try, and what the keeper measured of it.
    cause: str | None
    exit_code: int | None
    signal: int | None
    cpu_seconds: float | None
    peak_rss_bytes: int | None
    error: str | None

    @classmethod
    def of(cls, instance: InstanceView, one: TryView) -> Self:
        """Return the shape of one try of an instance."""
        return cls(
            task_id=instance.task_id,
            task_display_name=instance.task_display_name,
            dag_id=instance.dag_id,
            dag_display_name=instance.dag_display_name,
            dag_run_id=instance.run_id,
            map_index=instance.map_index,
            start_date=one.started_at,
            end_date=one.ended_at,
            duration=one.duration_seconds,
            state=shown_state(one.state),
            try_number=one.number,
            max_tries=instance.max_tries,
            hostname=one.worker,
            pool=instance.pool,
            pool_slots=instance.pool_slots,
            queue=instance.queue,
            priority_weight=instance.priority,
            operator=instance.operator,
            operator_name=instance.operator,
            queued_when=one.queued_at,
            dag_version=DagVersionResponse.of(instance.version, instance.dag_display_name),
            cause=one.cause,
            exit_code=one.exit_code,
            signal=one.exit_signal,
            cpu_seconds=one.cpu_seconds,
            peak_rss_bytes=one.peak_rss_bytes,
            error=one.error,
        )


class TaskInstanceHistoryCollectionResponse(Shape):
    """The tries of a task instance."""

    task_instances: list[TaskInstanceHistoryResponse]
    total_entries: int


class MarkableState(StrEnum):
    """The states that somebody can set a task instance to."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


class PatchTaskInstanceBody(Body):
    """How task instances ended, and which others with them; or a note on them."""

    new_state: MarkableState | None = None
    note: str | None = Field(default=None, max_length=1000)
    include_upstream: bool = False
    include_downstream: bool = False
    include_past: bool = False
    include_future: bool = False


class BulkTaskInstanceBody(PatchTaskInstanceBody):
    """The same of one of many; `dag_id` and `dag_run_id` are those of the path where it names them."""

    dag_id: str | None = None
    dag_run_id: str | None = None
    task_id: str
    map_index: WholeNumber | None = None


class ClearTaskInstancesBody(Body):
    """Which task instances are to run again."""

    dry_run: bool = True
    dag_run_id: str | None = None
    task_ids: list[str | list[Any]] | None = None
    start_date: Moment | None = None
    end_date: Moment | None = None
    only_failed: bool = True
    only_running: bool = False
    reset_dag_runs: bool = True
    include_upstream: bool = False
    include_downstream: bool = False
    include_past: bool = False
    include_future: bool = False
    run_on_latest_version: bool | None = None
    prevent_running_task: bool = False
    note: str | None = Field(default=None, max_length=1000)


class TaskInstancesBatchBody(DatesBody):
    """Which task instances are wanted."""

    dag_ids: list[str] | None = None
    dag_run_ids: list[str] | None = None
    task_ids: list[str] | None = None
    state: list[TaskState | None] | None = None
    pool: list[str] | None = None
    queue: list[str] | None = None
    executor: list[str] | None = Field(None, description="Accepted and ignored: there is one executor.")


class TaskDependencyResponse(Shape):
    """Why a task instance is not running."""

    name: str
    reason: str


class TaskDependencyCollectionResponse(Shape):
    """Every reason."""

    dependencies: list[TaskDependencyResponse]


class WhyResponse(Shape):
    """Every reason a task instance is not running now, in words; beyond Airflow."""

    state: TaskState | None
    reasons: list[str]


class LogMessage(Shape):
    """A line of a log."""

    timestamp: datetime | None
    event: str
    stream: str


class TaskInstancesLogResponse(Shape):
    """A window of a log; where `continuation_token` is not null there is, or will be, more."""

    content: list[LogMessage]
    continuation_token: str | None


class ExtraLinkCollectionResponse(Shape):
    """The links of a task instance by name."""

    extra_links: dict[str, str]
    total_entries: int
