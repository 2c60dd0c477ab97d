"""Shapes of DagRuns."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import Field, model_validator

from flowd.api.schemas.base import Body, Moment, Shape, together
from flowd.api.schemas.versions import DagVersionResponse
from flowd.db.views.keyset import MOST_COUNTED, Stretch
from flowd.db.views.runs import RunView
from flowd.domain.states import RunState


class DagRunResponse(Shape):
    """A run."""

    dag_run_id: str
    dag_id: str
    dag_display_name: str
    logical_date: datetime | None
    queued_at: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    last_scheduling_decision: datetime | None = None
    run_type: str
    state: RunState
    triggered_by: str | None
    triggering_user_name: str | None
    conf: dict[str, Any] | None
    note: str | None
    dag_versions: list[DagVersionResponse]
    bundle_version: str | None
    partition_key: str | None = None
    partition_date: datetime | None = None

    @classmethod
    def of(cls, run: RunView) -> Self:
        """Return the shape of a run."""
        return cls(
            dag_run_id=run.run_id,
            dag_id=run.dag_id,
            dag_display_name=run.dag_display_name,
            logical_date=run.logical_date,
            queued_at=run.queued_at,
            start_date=run.started_at,
            end_date=run.ended_at,
            duration=run.duration_seconds,
            data_interval_start=run.data_interval_start,
            data_interval_end=run.data_interval_end,
            run_after=run.run_after,
            run_type=run.run_type,
            state=run.state,
            triggered_by=run.triggered_by,
            triggering_user_name=run.triggering_user,
            conf=run.conf,
            note=run.note,
            dag_versions=[DagVersionResponse.of(run.version, run.dag_display_name)],
            bundle_version=run.bundle,
            partition_key=run.partition_key,
            partition_date=run.partition_date,
        )


class DagRunCollectionResponse(Shape):
    """A page of runs."""

    dag_runs: list[DagRunResponse]
    total_entries: int
    total_entries_limit: int | None = None
    next_cursor: str | None = None
    previous_cursor: str | None = None

    @classmethod
    def of(cls, found: Stretch[RunView]) -> Self:
        """Return the shape of a page at a cursor."""
        return cls(
            dag_runs=[DagRunResponse.of(run) for run in found.items],
            total_entries=found.total,
            total_entries_limit=MOST_COUNTED,
            next_cursor=found.next_cursor,
            previous_cursor=found.previous_cursor,
        )


class TriggerDagRunBody(Body):
    """What somebody who triggers a DAG says. `logical_date` must be given and may be null."""

    model_config = together("data_interval_start", "data_interval_end")

    dag_run_id: str | None = None
    logical_date: Moment | None
    data_interval_start: Moment | None = None
    data_interval_end: Moment | None = None
    run_after: Moment | None = None
    conf: dict[str, Any] | None = None
    note: str | None = Field(default=None, max_length=1000)
    partition_key: str | None = None

    @model_validator(mode="after")
    def _has_both_ends(self) -> Self:
        if (self.data_interval_start is None) != (self.data_interval_end is None):
            raise ValueError("Either both data_interval_start and data_interval_end must be provided or both be None")
        return self


class MutableRunState(StrEnum):
    """The states a run can be put into."""

    QUEUED = "queued"
    SUCCESS = "success"
    FAILED = "failed"


class DagRunPatchBody(Body):
    """What of a run can be changed."""

    state: MutableRunState | None = None
    note: str | None = Field(default=None, max_length=1000)


class BulkDagRunBody(DagRunPatchBody):
    """The same of one of many; `dag_id` is that of the path where it names one."""

    dag_id: str | None = None
    dag_run_id: str


class DagRunClearBody(Body):
    """What of a run is to run again."""

    dry_run: bool = True
    only_failed: bool = False
    only_new: bool = False
    run_on_latest_version: bool | None = None
    note: str | None = Field(default=None, max_length=1000)


class BulkDagRunClearBody(DagRunClearBody):
    """What of many runs is to run again. Runs are not found by their partitions."""

    dag_runs: list[BulkDagRunBody] | None = None
    partition_key: str | None = None
    partition_date_start: Moment | None = None
    partition_date_end: Moment | None = None


class ClearPartitionsBody(Body):
    """Which partitions are to run again."""

    run_id: str | None = None
    partition_key: str | None = None
    partition_date_start: Moment | None = None
    partition_date_end: Moment | None = None
    clear_task_instances: bool = False
    dry_run: bool = True


class ClearPartitionsResponse(Shape):
    """How much runs again: nothing, where no run has a partition."""

    dag_runs_cleared: int = 0
    task_instances_cleared: int = 0
    dry_run: bool


class DatesBody(Body):
    """The filters on dates that the bodies of batch lists share."""

    order_by: str | None = None
    page_limit: int = Field(100, ge=0)
    page_offset: int = Field(0, ge=0, le=2**53)
    run_after_gte: Moment | None = None
    run_after_gt: Moment | None = None
    run_after_lte: Moment | None = None
    run_after_lt: Moment | None = None
    logical_date_gte: Moment | None = None
    logical_date_gt: Moment | None = None
    logical_date_lte: Moment | None = None
    logical_date_lt: Moment | None = None
    start_date_gte: Moment | None = None
    start_date_gt: Moment | None = None
    start_date_lte: Moment | None = None
    start_date_lt: Moment | None = None
    end_date_gte: Moment | None = None
    end_date_gt: Moment | None = None
    end_date_lte: Moment | None = None
    end_date_lt: Moment | None = None
    duration_gte: float | None = None
    duration_gt: float | None = None
    duration_lte: float | None = None
    duration_lt: float | None = None


class DagRunsBatchBody(DatesBody):
    """Which runs are wanted."""

    dag_ids: list[str] | None = None
    states: list[RunState | None] | None = None
    conf_contains: str | None = None
