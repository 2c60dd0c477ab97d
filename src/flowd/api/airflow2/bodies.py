"""The bodies of Airflow 2's calls; what they may hold and means nothing any more is ignored."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ConfigDict, Field, ValidationError

from flowd.api.schemas.base import Body, Moment
from flowd.api.schemas.runs import MutableRunState
from flowd.api.schemas.task_instances import MarkableState
from flowd.domain.errors import InvalidInput
from flowd.domain.states import RunState, TaskState

Made = TypeVar("Made", bound=Body)


class LooseBody(Body):
    """A body of which the known fields are read: clients send back what they were given."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def given(body: LooseBody) -> dict[str, Any]:
    """Return what was given, under the names that it has in JSON."""
    return body.model_dump(include=body.model_fields_set, by_alias=True)


def converted(kind: type[Made], values: Mapping[str, Any]) -> Made:
    """Return a body of today's API; raise InvalidInput, without what was given, where it is none."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InvalidInput(f"{'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}") from None


class DagBody(LooseBody):
    """What of a DAG can be changed."""

    is_paused: bool


class TriggerBody(LooseBody):
    """What somebody who triggers a DAG says; the logical date is now where none is given."""

    dag_run_id: str | None = None
    logical_date: Moment | None = None
    execution_date: Moment | None = None
    data_interval_start: Moment | None = None
    data_interval_end: Moment | None = None
    conf: dict[str, Any] | None = None
    note: str | None = Field(default=None, max_length=1000)


class RunStateBody(LooseBody):
    """How a run ended, or that it is to go on."""

    state: MutableRunState


class NoteBody(LooseBody):
    """A note."""

    note: str | None = Field(default=None, max_length=1000)


class TaskNoteBody(NoteBody):
    """A note on a task instance."""

    map_index: int | None = None


class ClearRunBody(LooseBody):
    """Whether a run is only to be looked at."""

    dry_run: bool = True


class ClearTasksBody(LooseBody):
    """Which task instances are to run again."""

    dry_run: bool = True
    dag_run_id: str | None = None
    task_ids: list[str] | None = None
    start_date: Moment | None = None
    end_date: Moment | None = None
    only_failed: bool = True
    only_running: bool = False
    reset_dag_runs: bool = False
    include_upstream: bool = False
    include_downstream: bool = False
    include_past: bool = False
    include_future: bool = False


class UpdateTaskBody(LooseBody):
    """How a task instance ended."""

    dry_run: bool = True
    new_state: MarkableState


class UpdateTasksBody(UpdateTaskBody):
    """How task instances ended: one of a run that is named by its id or its execution date, and others with it."""

    task_id: str
    dag_run_id: str | None = None
    execution_date: Moment | None = None
    include_upstream: bool = False
    include_downstream: bool = False
    include_past: bool = False
    include_future: bool = False


class BatchBody(LooseBody):
    """Which runs or task instances are wanted, of any DAG."""

    dag_ids: list[str] | None = None
    order_by: str | None = None
    page_limit: int = Field(100, ge=0)
    page_offset: int = Field(0, ge=0, le=2**53)
    execution_date_gte: Moment | None = None
    execution_date_lte: Moment | None = None
    start_date_gte: Moment | None = None
    start_date_lte: Moment | None = None
    end_date_gte: Moment | None = None
    end_date_lte: Moment | None = None


def dates_of(body: BatchBody) -> dict[str, Any]:
    """Return the page, the order and the dates of a batch body under today's names."""
    given = body.model_dump(include=set(BatchBody.model_fields) - {"dag_ids"})
    order_by = given.pop("order_by")
    return {
        "order_by": order_by and order_by.replace("execution_date", "logical_date"),
        **{name.replace("execution_date", "logical_date"): value for name, value in given.items()},
    }


class RunsBatchBody(BatchBody):
    """Which runs are wanted."""

    states: list[RunState] | None = None


class TasksBatchBody(BatchBody):
    """Which task instances are wanted."""

    dag_run_ids: list[str] | None = None
    task_ids: list[str] | None = None
    state: list[TaskState | None] | None = None
    pool: list[str] | None = None
    queue: list[str] | None = None
    duration_gte: float | None = None
    duration_lte: float | None = None


class Version1PoolBody(LooseBody):
    """A pool, or what of it is to change."""

    name: str | None = None
    slots: int | None = Field(None, ge=-1, lt=2**31)
    description: str | None = None
    include_deferred: bool | None = None


class Version1VariableBody(LooseBody):
    """A variable."""

    key: str = Field(min_length=1)
    value: str
    description: str | None = None


class Version1ConnectionBody(LooseBody):
    """A connection, or what of it is to change."""

    connection_id: str | None = None
    conn_type: str | None = None
    description: str | None = None
    host: str | None = None
    login: str | None = None
    schema_: str | None = Field(None, alias="schema")
    port: int | None = None
    password: str | None = None
    extra: str | None = None
