"""Shapes of DAGs."""

from datetime import datetime, timedelta
from typing import Any, Self

from flowd.api.schemas.base import Body, Shape
from flowd.api.schemas.versions import DagVersionResponse
from flowd.db.views.dags import DagView
from flowd.domain.assets import condition_to_json
from flowd.domain.dag_spec import DagSpec
from flowd.domain.data_interval import NextRun
from flowd.domain.states import RunType


class DagTagResponse(Shape):
    """A tag of a DAG."""

    name: str
    dag_id: str
    dag_display_name: str


class DagResponse(Shape):
    """A DAG as in lists. What flowd has no use for is null, false or empty."""

    dag_id: str
    dag_display_name: str
    is_paused: bool
    is_stale: bool
    last_parsed_time: datetime | None
    last_parse_duration: float | None
    last_expired: datetime | None = None
    bundle_name: str | None
    bundle_version: str | None
    relative_fileloc: str | None
    fileloc: str
    file_token: str
    description: str | None
    timetable_summary: str | None
    timetable_description: str | None
    timetable_partitioned: bool = False
    timetable_periodic: bool
    is_backfillable: bool
    tags: list[DagTagResponse]
    owners: list[str]
    max_active_tasks: int
    max_active_runs: int | None
    max_consecutive_failed_dag_runs: int = 0
    has_task_concurrency_limits: bool
    has_import_errors: bool
    next_dagrun_logical_date: datetime | None
    next_dagrun_data_interval_start: datetime | None
    next_dagrun_data_interval_end: datetime | None
    next_dagrun_run_after: datetime | None
    allowed_run_types: list[RunType] | None = None

    @classmethod
    def of(cls, dag: DagView) -> Self:
        """Return the shape of a DAG."""
        return cls.model_validate(fields_of(dag))


def fields_of(dag: DagView) -> dict[str, Any]:
    """Return the fields that lists and details share."""
    card = dag.card
    return {
        "dag_id": dag.dag_id,
        "dag_display_name": card.display_name,
        "is_paused": dag.is_paused,
        "is_stale": not dag.is_active,
        "last_parsed_time": dag.parsed_at,
        "last_parse_duration": dag.parse_seconds,
        "bundle_name": dag.bundle_name,
        "bundle_version": dag.bundle,
        "relative_fileloc": dag.file,
        "fileloc": dag.file,
        "file_token": dag.file,
        "description": card.description,
        "timetable_summary": card.timetable_summary,
        "timetable_description": card.timetable_description,
        "timetable_periodic": card.is_periodic,
        "timetable_partitioned": card.is_partitioned,
        "is_backfillable": card.is_periodic and not card.is_partitioned,
        "tags": [DagTagResponse(name=tag, dag_id=dag.dag_id, dag_display_name=card.display_name) for tag in card.tags],
        "owners": list(card.owners),
        "max_active_tasks": card.max_active_tasks,
        "max_active_runs": card.max_active_runs,
        "has_task_concurrency_limits": card.has_task_limits,
        "has_import_errors": dag.has_import_errors,
        "next_dagrun_logical_date": dag.next_logical_date,
        "next_dagrun_data_interval_start": dag.next_interval_start,
        "next_dagrun_data_interval_end": dag.next_interval_end,
        "next_dagrun_run_after": dag.next_run_after,
    }


class DagDetailsResponse(DagResponse):
    """A DAG with what its file says of it."""

    active_runs_count: int
    asset_expression: dict[str, Any] | None = None
    catchup: bool
    concurrency: int
    dag_run_timeout: timedelta | None
    default_args: dict[str, Any] | None
    doc_md: str | None
    end_date: datetime | None
    is_favorite: bool
    is_paused_upon_creation: bool | None
    last_parsed: datetime | None
    latest_dag_version: DagVersionResponse | None
    owner_links: dict[str, str] | None
    params: dict[str, Any] | None
    render_template_as_native_obj: bool
    rerun_with_latest_version: bool | None = None
    start_date: datetime | None
    template_search_path: list[str] | None
    timezone: str | None

    @classmethod
    def of_spec(cls, dag: DagView, spec: DagSpec, active_runs: int, *, is_favorite: bool) -> Self:
        """Return the details of a DAG and its current spec."""
        shown = spec.presentation
        search_path = shown.get("template_searchpath")
        return cls.model_validate(
            fields_of(dag)
            | {
                "active_runs_count": active_runs,
                "is_favorite": is_favorite,
                "asset_expression": None if spec.assets is None else condition_to_json(spec.assets),
                "max_consecutive_failed_dag_runs": spec.max_consecutive_failed_runs,
                "catchup": spec.catchup,
                "concurrency": spec.max_active_tasks,
                "dag_run_timeout": spec.dagrun_timeout,
                "default_args": _mapping(shown.get("default_args")),
                "doc_md": shown.get("doc_md"),
                "end_date": spec.end_date,
                "is_paused_upon_creation": spec.is_paused_upon_creation,
                "last_parsed": dag.parsed_at,
                "latest_dag_version": DagVersionResponse.of(dag.version, dag.card.display_name),
                "owner_links": _mapping(shown.get("owner_links")),
                "params": dict(spec.params),
                "render_template_as_native_obj": bool(shown.get("render_template_as_native_obj")),
                "start_date": spec.start_date,
                "template_search_path": [search_path] if isinstance(search_path, str) else search_path,
                "timezone": str(shown.get("timezone") or "UTC"),
            }
        )


class DagCollectionResponse(Shape):
    """A page of DAGs."""

    dags: list[DagResponse]
    total_entries: int


class NextRunResponse(Shape):
    """A run that a schedule will make."""

    run_after: datetime
    logical_date: datetime | None
    data_interval_start: datetime
    data_interval_end: datetime

    @classmethod
    def of(cls, run: NextRun) -> Self:
        """Return the shape of a run to come."""
        return cls(
            run_after=run.run_after,
            logical_date=run.logical_date,
            data_interval_start=run.data_interval.start,
            data_interval_end=run.data_interval.end,
        )


class NextRunCollectionResponse(Shape):
    """The runs to come of a DAG."""

    next_runs: list[NextRunResponse]
    total_entries: int


class DagPatchBody(Body):
    """What of a DAG can be changed."""

    is_paused: bool


class DagTagCollectionResponse(Shape):
    """A page of tags."""

    tags: list[str]
    total_entries: int


class DagStatsStateResponse(Shape):
    """How many runs are in a state."""

    state: str
    count: int


class DagStatsResponse(Shape):
    """How many runs of a DAG are in each state."""

    dag_id: str
    dag_display_name: str
    stats: list[DagStatsStateResponse]


class DagStatsCollectionResponse(Shape):
    """The counts of several DAGs."""

    dags: list[DagStatsResponse]
    total_entries: int


def _mapping(value: Any) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, dict) else None
