"""From a DAG object to the DagSpec that the scheduler knows; two parses of one file give equal specs."""

from typing import Any

from flowd.domain.dag_access import dag_access_of
from flowd.domain.dag_spec import DagSpec, check_durations
from flowd.domain.errors import FlowdError, InvalidDag
from flowd.domain.graph import graph_of
from flowd.domain.ids import DagId
from flowd.sdk.asset_watchers import watchers_of
from flowd.sdk.dag import DAG
from flowd.sdk.deadline import deadlines_of
from flowd.sdk.moments import plain_utc
from flowd.sdk.plain_json import plain_json
from flowd.sdk.priority import effective_priorities
from flowd.sdk.serialize_task import spec_of_task
from flowd.sdk.task_group import TaskGroup
from flowd.sdk.unsupported import check_dag


def serialize(dag: DAG, file: str) -> DagSpec:
    """Return the spec of `dag`, defined in `file` (relative to the DAG folder).

    Tasks are in the order of their ids: an author may have looped over a set. Raises InvalidDag, naming file and DAG,
    for a circle of edges or anything flowd cannot honour. Warns with DagWarning of what is lost harmlessly.
    """
    try:
        return _spec(dag, file)
    except FlowdError as error:
        if isinstance(error, InvalidDag) and f"DAG {dag.dag_id!r}" in str(error):
            raise InvalidDag(f"{file}: {error}") from error
        raise InvalidDag(f"{file}: DAG {dag.dag_id!r}: {error}") from error


def _spec(dag: DAG, file: str) -> DagSpec:
    for task in dag.tasks:
        task.link_outputs()
    check_dag(dag)
    priorities = effective_priorities(dag.tasks)
    spec = DagSpec(
        dag_id=DagId(dag.dag_id),
        file=file,
        timetable=dag.timetable,
        assets=dag.asset_condition,
        partitioning=getattr(dag.schedule, "partitioning", None),
        watchers=watchers_of(dag, file),
        tasks=tuple(
            spec_of_task(dag.task_dict[task_id], file, priorities[task_id]) for task_id in sorted(dag.task_dict)
        ),
        start_date=plain_utc(dag.first_start_date),
        end_date=plain_utc(dag.last_end_date),
        catchup=bool(dag.catchup),
        max_active_runs=dag.max_active_runs,
        max_active_tasks=dag.max_active_tasks,
        max_consecutive_failed_runs=dag.max_consecutive_failed_dag_runs,
        dagrun_timeout=dag.dagrun_timeout,
        is_paused_upon_creation=dag.is_paused_upon_creation,
        params={name: plain_json(param.dump()) for name, param in sorted(dag.params.params().items())},
        has_run_callbacks=bool(dag.on_success_callback or dag.on_failure_callback),
        fail_fast=dag.fail_fast,
        deadlines=deadlines_of(dag.deadline, f"DAG {dag.dag_id!r}"),
        presentation=_presentation(dag),
    )
    check_durations(spec)
    dag_access_of(spec.access_control, f"DAG {spec.dag_id!r}")
    graph_of(spec)
    return spec


def _presentation(dag: DAG) -> dict[str, Any]:
    edges = [
        {"source": source, "target": target, "label": info["label"]}
        for source, targets in sorted(dag.edge_info.items())
        for target, info in sorted(targets.items())
    ]
    return {
        "description": plain_json(dag.description),
        "tags": dag.tags,
        "owner": dag.owner,
        "owner_links": plain_json(dag.owner_links),
        "doc_md": _text(dag.doc_md),
        "dag_display_name": dag.dag_display_name,
        "access_control": plain_json(dag.access_control),
        "default_args": plain_json(dag.default_args),
        "timezone": plain_json(getattr(dag.timetable, "timezone", "UTC")),
        "template_searchpath": plain_json(dag.template_searchpath),
        "render_template_as_native_obj": dag.render_template_as_native_obj,
        "default_view": dag.default_view,
        "orientation": dag.orientation,
        "edges": edges,
        "groups": _group(dag.task_group),
    }


def _group(group: TaskGroup) -> dict[str, Any]:
    children: list[Any] = []
    for _, child in sorted(group.children.items()):
        children.append(_group(child) if isinstance(child, TaskGroup) else child.task_id)
    return {
        "id": group.group_id,
        "label": group.group_display_name or group.label,
        "tooltip": _text(group.tooltip) or "",
        "ui_color": group.ui_color,
        "ui_fgcolor": group.ui_fgcolor,
        "children": children,
    }


def _text(doc: str | None) -> str | None:
    return None if doc is None else str(doc)
