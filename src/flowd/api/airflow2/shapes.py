"""The JSON of Airflow 2.10, made of that of Airflow 3."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import Field

from flowd.api.schemas.base import Shape
from flowd.api.schemas.dags import DagDetailsResponse, DagResponse
from flowd.api.schemas.pools import PoolResponse
from flowd.api.schemas.runs import DagRunResponse
from flowd.api.schemas.secrets import ConnectionResponse, VariableResponse
from flowd.api.schemas.task_instances import TaskInstanceHistoryResponse, TaskInstanceResponse
from flowd.api.schemas.tasks import TaskResponse, TimeDelta
from flowd.api.schemas.xcoms import XComResponse
from flowd.domain.states import RunState, RunType, TaskState

_RUN_TYPES = {
    RunType.BACKFILL: "backfill",
    RunType.SCHEDULED: "scheduled",
    RunType.ASSET_TRIGGERED: "dataset_triggered",
}
_PRESET = "@"
_CRON_FIELDS = 5


class CronExpression(Shape):
    """A schedule as cron says it."""

    type_: str = Field(default="CronExpression", serialization_alias="__type")
    value: str


class Tag(Shape):
    """A tag of a DAG."""

    name: str


class Version1Dag(Shape):
    """A DAG as in lists."""

    dag_id: str
    dag_display_name: str
    root_dag_id: str | None = None
    is_paused: bool
    is_active: bool
    is_subdag: bool = False
    last_parsed_time: datetime | None
    last_pickled: datetime | None = None
    last_expired: datetime | None = None
    scheduler_lock: bool | None = None
    pickle_id: str | None = None
    default_view: str = "grid"
    fileloc: str
    file_token: str
    owners: list[str]
    description: str | None
    schedule_interval: CronExpression | None
    timetable_description: str | None
    tags: list[Tag]
    max_active_tasks: int
    max_active_runs: int | None
    max_consecutive_failed_dag_runs: int
    has_task_concurrency_limits: bool
    has_import_errors: bool
    next_dagrun: datetime | None
    next_dagrun_data_interval_start: datetime | None
    next_dagrun_data_interval_end: datetime | None
    next_dagrun_create_after: datetime | None

    @classmethod
    def of(cls, dag: DagResponse) -> Self:
        """Return the shape of a DAG."""
        return cls.model_validate(_dag_fields(dag))


class Version1DagDetails(Version1Dag):
    """A DAG with what its file says of it."""

    catchup: bool
    concurrency: int
    dag_run_timeout: TimeDelta | None
    doc_md: str | None
    end_date: datetime | None
    is_paused_upon_creation: bool | None
    last_parsed: datetime | None
    orientation: str = "LR"
    params: dict[str, Any] | None
    render_template_as_native_obj: bool
    start_date: datetime | None
    template_search_path: list[str] | None
    timezone: str | None

    @classmethod
    def of_details(cls, dag: DagDetailsResponse) -> Self:
        """Return the shape of the details of a DAG."""
        named = ("catchup", "concurrency", "doc_md", "end_date", "is_paused_upon_creation", "last_parsed", "params")
        shown = ("render_template_as_native_obj", "start_date", "template_search_path", "timezone")
        timeout: timedelta | None = dag.dag_run_timeout
        return cls.model_validate(
            _dag_fields(dag)
            | {name: getattr(dag, name) for name in (*named, *shown)}
            | {"dag_run_timeout": TimeDelta.of(timeout)}
        )


class Version1DagCollection(Shape):
    """A page of DAGs."""

    dags: list[Version1Dag]
    total_entries: int


class Version1Task(TaskResponse):
    """A task; whether its retries back off exponentially is yes or no, and nothing is null."""

    retry_exponential_backoff: bool = False

    @classmethod
    def of_task(cls, task: TaskResponse) -> Self:
        """Return the shape of a task."""
        said = task.model_dump(exclude={"retry_exponential_backoff"})
        return cls(**said, retry_exponential_backoff=bool(task.retry_exponential_backoff))


class Version1TaskCollection(Shape):
    """The tasks of a DAG."""

    tasks: list[Version1Task]
    total_entries: int


class Version1DagRun(Shape):
    """A run; one without a logical date is shown with the moment from which it may run."""

    dag_id: str
    dag_run_id: str
    conf: dict[str, Any]
    execution_date: datetime
    logical_date: datetime
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    last_scheduling_decision: datetime | None
    external_trigger: bool
    run_type: str
    state: RunState
    note: str | None

    @classmethod
    def of(cls, run: DagRunResponse) -> Self:
        """Return the shape of a run."""
        date = run.logical_date or run.run_after
        return cls(
            dag_id=run.dag_id,
            dag_run_id=run.dag_run_id,
            conf=run.conf or {},
            execution_date=date,
            logical_date=date,
            data_interval_start=run.data_interval_start,
            data_interval_end=run.data_interval_end,
            start_date=run.start_date,
            end_date=run.end_date,
            last_scheduling_decision=run.last_scheduling_decision,
            external_trigger=RunType(run.run_type) not in _RUN_TYPES,
            run_type=_RUN_TYPES.get(RunType(run.run_type), "manual"),
            state=run.state,
            note=run.note,
        )


class Version1DagRunCollection(Shape):
    """A page of runs."""

    dag_runs: list[Version1DagRun]
    total_entries: int

    @classmethod
    def of(cls, runs: Iterable[DagRunResponse], total: int) -> Self:
        """Return the shape of a page."""
        return cls(dag_runs=[Version1DagRun.of(run) for run in runs], total_entries=total)


class Version1TaskInstance(Shape):
    """A task instance, or one of its tries."""

    dag_id: str
    dag_run_id: str
    task_id: str
    task_display_name: str
    map_index: int
    execution_date: datetime
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    state: TaskState | None
    try_number: int
    max_tries: int
    hostname: str
    unixname: str = ""
    pool: str
    pool_slots: int
    queue: str | None
    priority_weight: int | None
    operator: str | None
    queued_when: datetime | None
    pid: int | None = None
    executor: str | None = None
    executor_config: str = "{}"
    note: str | None = None
    rendered_map_index: str | None = None
    rendered_fields: dict[str, Any] = Field(default_factory=dict)
    sla_miss: None = None
    trigger: None = None
    triggerer_job: None = None

    @classmethod
    def of(cls, one: TaskInstanceResponse) -> Self:
        """Return the shape of a task instance."""
        more = {name: getattr(one, name) for name in ("note", "rendered_map_index", "rendered_fields")}
        return cls(execution_date=one.logical_date or one.run_after, **_task_fields(one), **more)

    @classmethod
    def of_try(cls, one: TaskInstanceHistoryResponse, execution_date: datetime) -> Self:
        """Return the shape of a try."""
        return cls(execution_date=execution_date, **_task_fields(one))


class Version1TaskInstanceCollection(Shape):
    """A page of task instances."""

    task_instances: list[Version1TaskInstance]
    total_entries: int

    @classmethod
    def of(cls, instances: Iterable[TaskInstanceResponse], total: int) -> Self:
        """Return the shape of a page."""
        return cls(task_instances=[Version1TaskInstance.of(one) for one in instances], total_entries=total)


class TaskInstanceReference(Shape):
    """The names of a task instance."""

    dag_id: str
    dag_run_id: str
    execution_date: datetime
    task_id: str

    @classmethod
    def of(cls, one: TaskInstanceResponse) -> Self:
        """Return the names of a task instance."""
        return cls(
            dag_id=one.dag_id,
            dag_run_id=one.dag_run_id,
            execution_date=one.logical_date or one.run_after,
            task_id=one.task_id,
        )


class TaskInstanceReferenceCollection(Shape):
    """The names of task instances."""

    task_instances: list[TaskInstanceReference]


class Version1Log(Shape):
    """A window of the log of a try, as text; the token is empty where there is no more."""

    content: str
    continuation_token: str


class Version1XCom(Shape):
    """An XCom without its value."""

    dag_id: str
    task_id: str
    key: str
    map_index: int
    timestamp: datetime
    execution_date: datetime

    @classmethod
    def of(cls, one: XComResponse) -> Self:
        """Return the shape of an XCom."""
        return cls(
            dag_id=one.dag_id,
            task_id=one.task_id,
            key=one.key,
            map_index=one.map_index,
            timestamp=one.timestamp,
            execution_date=one.logical_date or one.run_after,
        )


class Version1XComValue(Version1XCom):
    """An XCom with its value."""

    value: Any = None


class Version1XComCollection(Shape):
    """A page of XComs."""

    xcom_entries: list[Version1XCom]
    total_entries: int


class Version1Pool(Shape):
    """A pool and what is in it."""

    name: str
    slots: int
    description: str | None
    include_deferred: bool
    occupied_slots: int
    running_slots: int
    queued_slots: int
    scheduled_slots: int
    deferred_slots: int
    open_slots: int

    @classmethod
    def of(cls, pool: PoolResponse) -> Self:
        """Return the shape of a pool."""
        return cls.model_validate(pool.model_dump(exclude={"team_name"}))


class Version1PoolCollection(Shape):
    """A page of pools."""

    pools: list[Version1Pool]
    total_entries: int


class Version1Variable(Shape):
    """A variable."""

    key: str
    value: str | None
    description: str | None

    @classmethod
    def of(cls, variable: VariableResponse) -> Self:
        """Return the shape of a variable."""
        return cls(key=variable.key, value=variable.value, description=variable.description)


class Version1VariableCollection(Shape):
    """A page of variables."""

    variables: list[Version1Variable]
    total_entries: int


class Version1Connection(Shape):
    """A connection without its password; what in its extra looks like one is hidden."""

    connection_id: str
    conn_type: str
    description: str | None
    host: str | None
    login: str | None
    schema_: str | None = Field(serialization_alias="schema")
    port: int | None
    extra: str | None

    @classmethod
    def of(cls, one: ConnectionResponse) -> Self:
        """Return the shape of a connection."""
        return cls.model_validate(one.model_dump(exclude={"team_name", "password", "problem"}))


class Version1ConnectionCollection(Shape):
    """A page of connections."""

    connections: list[Version1Connection]
    total_entries: int


def _dag_fields(dag: DagResponse) -> dict[str, Any]:
    named = (
        "dag_id", "dag_display_name", "is_paused", "last_parsed_time", "last_expired", "fileloc", "file_token",
        "owners", "description", "timetable_description", "max_active_tasks", "max_active_runs",
        "max_consecutive_failed_dag_runs", "has_task_concurrency_limits", "has_import_errors",
        "next_dagrun_data_interval_start", "next_dagrun_data_interval_end",
    )  # fmt: skip
    return {name: getattr(dag, name) for name in named} | {
        "is_active": not dag.is_stale,
        "schedule_interval": _cron(dag.timetable_summary),
        "tags": [Tag(name=tag.name) for tag in dag.tags],
        "next_dagrun": dag.next_dagrun_logical_date,
        "next_dagrun_create_after": dag.next_dagrun_run_after,
    }


def _cron(summary: str | None) -> CronExpression | None:
    """Return the schedule where it is cron's; Airflow 2 has null for a timetable of another kind."""
    if summary and (summary.startswith(_PRESET) or len(summary.split()) == _CRON_FIELDS):
        return CronExpression(value=summary)
    return None


def _task_fields(one: TaskInstanceResponse | TaskInstanceHistoryResponse) -> dict[str, Any]:
    named = (
        "dag_id", "dag_run_id", "task_id", "task_display_name", "map_index", "start_date", "end_date", "duration",
        "state", "try_number", "max_tries", "pool", "pool_slots", "queue", "priority_weight", "operator", "queued_when",
    )  # fmt: skip
    return {name: getattr(one, name) for name in named} | {"hostname": one.hostname or ""}
