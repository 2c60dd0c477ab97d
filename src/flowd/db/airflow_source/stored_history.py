"""Airflow's DAGs with their pause states, its runs and their task instances."""

from collections.abc import AsyncIterator, Mapping, Sequence

from sqlalchemy import RowMapping, Select, and_, func, select, tuple_

from flowd.db.airflow_source.source import AirflowSource
from flowd.db.airflow_source.stored_values import conf_of, moment_of, text_of
from flowd.db.airflow_source.tables import LOGICAL_DATES
from flowd.domain.airflow_run import LONGEST_ID, AirflowInstance, AirflowRun

RunName = tuple[str, str]
"""A DAG, and the id of a run of it."""

MOST_DAGS = 500
MOST_RUNS = 100

_RUN = (
    "id",
    "dag_id",
    "run_id",
    "state",
    "run_type",
    "triggered_by",
    "triggering_user_name",
    *LOGICAL_DATES,
    "data_interval_start",
    "data_interval_end",
    "run_after",
    "queued_at",
    "start_date",
    "end_date",
    "partition_key",
    "conf",
)
_INSTANCE = (
    "dag_id",
    "run_id",
    "task_id",
    "map_index",
    "rendered_map_index",
    "state",
    "try_number",
    "max_tries",
    "hostname",
    "operator",
    "custom_operator_name",
    "pool",
    "pool_slots",
    "queue",
    "priority_weight",
    "scheduled_dttm",
    "queued_dttm",
    "start_date",
    "end_date",
)


async def pauses(source: AirflowSource) -> AsyncIterator[Sequence[tuple[str, bool]]]:
    """Yield Airflow's DAGs, less those whose files are gone, each with whether it is paused."""
    of_dag = source.table("dag").c
    last = ""
    while True:
        columns = source.columns("dag", "dag_id", "is_paused", "is_active", "is_stale")
        rows = await source.rows(select(*columns).where(of_dag.dag_id > last).order_by(of_dag.dag_id).limit(MOST_DAGS))
        if not rows:
            return
        # Airflow 2 says which are there, Airflow 3 which are not.
        there = [row for row in rows if row["is_active"] in (None, True, 1) and not row["is_stale"]]
        yield [(str(row["dag_id"]), bool(row["is_paused"])) for row in there]
        last = rows[-1]["dag_id"]


async def runs(source: AirflowSource) -> AsyncIterator[Sequence[AirflowRun]]:
    """Yield Airflow's runs, the first made first, some at a time."""
    run = source.table("dag_run")
    columns = source.columns("dag_run", *_RUN)
    has_notes = source.has("dag_run_note", "content")
    if has_notes:
        of_run = source.table("dag_run_note")
        columns.append(of_run.c.content.label("note"))
        rows_of: Select[tuple[object, ...]] = select(*columns).select_from(
            run.outerjoin(of_run, of_run.c.dag_run_id == run.c.id)
        )
    else:
        rows_of = select(*columns)
    last = -1
    while rows := await source.rows(rows_of.where(run.c.id > last).order_by(run.c.id).limit(MOST_RUNS)):
        yield [_run(row, row["note"] if has_notes else None) for row in rows]
        last = rows[-1]["id"]


async def instance_counts(source: AirflowSource, wanted: Sequence[RunName]) -> Mapping[RunName, int]:
    """Return how many task instances each of these runs has; those without are left out."""
    of_instance = source.table("task_instance").c
    names = (of_instance.dag_id, of_instance.run_id)
    statement = select(*names, func.count().label("number")).where(tuple_(*names).in_(list(wanted))).group_by(*names)
    return {(str(row["dag_id"]), str(row["run_id"])): int(row["number"]) for row in await source.rows(statement)}


async def instances(source: AirflowSource, wanted: Sequence[RunName]) -> Sequence[AirflowInstance]:
    """Return the task instances of these runs."""
    instance = source.table("task_instance")
    columns = source.columns("task_instance", *_INSTANCE)
    joined = instance
    has_notes = source.has("task_instance_note", "content")
    if has_notes:
        of_instance = source.table("task_instance_note")
        columns.append(of_instance.c.content.label("note"))
        # Airflow 3 has a key for an instance; before, it was known by its names.
        names = ("dag_id", "task_id", "run_id", "map_index")
        is_it = (
            of_instance.c.ti_id == instance.c.id
            if "ti_id" in of_instance.c
            else and_(*(of_instance.c[name] == instance.c[name] for name in names))
        )
        joined = instance.outerjoin(of_instance, is_it)  # type: ignore[assignment]
    of_runs = tuple_(instance.c.dag_id, instance.c.run_id).in_(list(wanted))
    statement = select(*columns).select_from(joined).where(of_runs)
    return [_instance(row, row["note"] if has_notes else None) for row in await source.rows(statement)]


def _run(row: RowMapping, note: object) -> AirflowRun:
    return AirflowRun(
        key=int(row["id"]),
        dag_id=str(row["dag_id"]),
        run_id=str(row["run_id"]),
        state=str(row["state"]),
        run_type=str(row["run_type"]),
        triggered_by=row["triggered_by"],
        triggering_user=text_of(row["triggering_user_name"], LONGEST_ID),
        logical_date=moment_of(next((row[name] for name in LOGICAL_DATES if row[name] is not None), None)),
        interval_start=moment_of(row["data_interval_start"]),
        interval_end=moment_of(row["data_interval_end"]),
        run_after=moment_of(row["run_after"]),
        queued_at=moment_of(row["queued_at"]),
        started_at=moment_of(row["start_date"]),
        ended_at=moment_of(row["end_date"]),
        partition_key=text_of(row["partition_key"], LONGEST_ID),
        conf=conf_of(row["conf"]),
        note=text_of(note),
    )


def _instance(row: RowMapping, note: object) -> AirflowInstance:
    return AirflowInstance(
        dag_id=str(row["dag_id"]),
        run_id=str(row["run_id"]),
        task_id=str(row["task_id"]),
        map_index=-1 if row["map_index"] is None else int(row["map_index"]),
        rendered_map_index=text_of(row["rendered_map_index"], LONGEST_ID),
        state=row["state"],
        try_number=int(row["try_number"] or 0),
        max_tries=int(row["max_tries"] or 0),
        operator=text_of(row["custom_operator_name"] or row["operator"], 200) or "",
        pool=text_of(row["pool"], LONGEST_ID) or "",
        pool_slots=int(row["pool_slots"] or 1),
        queue=text_of(row["queue"], LONGEST_ID) or "",
        priority=int(row["priority_weight"] or 1),
        hostname=text_of(row["hostname"], 200),
        scheduled_at=moment_of(row["scheduled_dttm"]),
        queued_at=moment_of(row["queued_dttm"]),
        started_at=moment_of(row["start_date"]),
        ended_at=moment_of(row["end_date"]),
        note=text_of(note),
    )
