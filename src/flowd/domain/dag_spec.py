"""DagSpec: a DAG as the scheduler knows it, a value that survives JSON and is named by its structural hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flowd.domain.asset_watch import WatcherSpec, watcher_from_json, watcher_to_json
from flowd.domain.assets import AssetCondition, condition_from_json, condition_to_json
from flowd.domain.deadline import DeadlineSpec
from flowd.domain.errors import InvalidDag
from flowd.domain.ids import DagId
from flowd.domain.partition.plan import Partitioning, partitioning_from_json, partitioning_to_json
from flowd.domain.task_spec import TaskSpec, task_from_json, task_to_json
from flowd.domain.timetable import TimetableSpec, timetable_from_json

FORMAT = 2
"""Version of the JSON form; it is part of the structural hash, so that a new form makes new DAG versions."""

LONGEST_DURATION = timedelta(days=36_525)
"""The longest timeout, delay or interval that a file may give, some 100 years: what is longer is a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DagSpec:
    """One DAG: its tasks, when it runs and how much of it may run at once.

    It runs when `timetable` says so and, where there are `assets`, when that condition on their events is met;
    `watchers` run for these assets meanwhile. With a `partitioning` there is a run for each key of their partitions.
    `file` is relative to the DAG folder. `params` holds each parameter as `{value, description, schema}`.
    `max_active_tasks` bounds queued and running instances per run, as in Airflow 3. After `max_consecutive_failed_runs`
    failed runs in a row, 0 for never, the scheduler pauses the DAG. With `fail_fast` the first task that fails ends all
    others but teardowns. `presentation` is what only pages and the API show:
    description, tags, owner, doc_md, task groups; and `access_control`, which `flowd.domain.dag_access` reads.
    """

    dag_id: DagId
    file: str
    timetable: TimetableSpec
    tasks: tuple[TaskSpec, ...]
    assets: AssetCondition | None = None
    partitioning: Partitioning | None = None
    watchers: tuple[WatcherSpec, ...] = ()
    start_date: datetime | None = None
    end_date: datetime | None = None
    catchup: bool = False
    max_active_runs: int = 16
    max_active_tasks: int = 16
    max_consecutive_failed_runs: int = 0
    dagrun_timeout: timedelta | None = None
    is_paused_upon_creation: bool | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    has_run_callbacks: bool = False
    fail_fast: bool = False
    deadlines: tuple[DeadlineSpec, ...] = ()
    presentation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def access_control(self) -> Any:
        """Whom the DAG's file lets see and change it, as it says so; None for everyone."""
        return self.presentation.get("access_control")


def check_durations(dag: DagSpec) -> None:
    """Raise InvalidDag for a duration so long that a moment after it may be none that a calendar has.

    This is asked when a file is parsed, not of what the metastore has already.
    """
    _check_duration("dagrun_timeout", dag.dagrun_timeout, f"DAG {dag.dag_id!r}")
    _check_duration("schedule", getattr(dag.timetable, "delta", None), f"DAG {dag.dag_id!r}")
    _check_duration("schedule's interval", getattr(dag.timetable, "interval", None), f"DAG {dag.dag_id!r}")
    for deadline in dag.deadlines:
        _check_duration("deadline's interval", deadline.interval, f"DAG {dag.dag_id!r}")
    for task in dag.tasks:
        where = f"DAG {dag.dag_id!r}: task {task.task_id!r}"
        _check_duration("execution_timeout", task.execution_timeout, where)
        _check_duration("retry_delay", task.retry.delay, where)
        _check_duration("max_retry_delay", task.retry.max_delay, where)


def _check_duration(name: str, duration: timedelta | None, where: str) -> None:
    if duration is not None and duration > LONGEST_DURATION:
        raise InvalidDag(
            f"{where}: its {name} is {duration.days} days, wanted at most {LONGEST_DURATION.days} (100 years); leave it"
            " out where there is to be no limit"
        )


def dag_to_json(dag: DagSpec) -> dict[str, Any]:
    """Return `dag` as JSON values; what few DAGs have is left out where it is not set."""
    timeout = dag.dagrun_timeout
    document: dict[str, Any] = {
        "format": FORMAT,
        "dag_id": dag.dag_id,
        "file": dag.file,
        "timetable": dag.timetable.to_json(),
        "assets": None if dag.assets is None else condition_to_json(dag.assets),
        "tasks": [task_to_json(task) for task in dag.tasks],
        "start_date": dag.start_date.isoformat() if dag.start_date else None,
        "end_date": dag.end_date.isoformat() if dag.end_date else None,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "max_active_tasks": dag.max_active_tasks,
        "max_consecutive_failed_runs": dag.max_consecutive_failed_runs,
        "dagrun_timeout": None if timeout is None else timeout.total_seconds(),
        "is_paused_upon_creation": dag.is_paused_upon_creation,
        "params": dict(dag.params),
        "has_run_callbacks": dag.has_run_callbacks,
        "presentation": dict(dag.presentation),
    }
    if dag.fail_fast:
        document["fail_fast"] = True
    if dag.partitioning is not None:
        document["partitioning"] = partitioning_to_json(dag.partitioning)
    if dag.watchers:
        document["watchers"] = [watcher_to_json(one) for one in dag.watchers]
    if dag.deadlines:
        document["deadlines"] = [one.to_json() for one in dag.deadlines]
    return document


def dag_from_json(document: Mapping[str, Any]) -> DagSpec:
    """Return the DAG that `dag_to_json` wrote; raise ValueError where it was written by another version of flowd."""
    if document["format"] != FORMAT:
        raise ValueError(f"DAG {document['dag_id']!r} has form {document['format']}, wanted {FORMAT}: reparse its file")
    timeout, start, end = document["dagrun_timeout"], document["start_date"], document["end_date"]
    return DagSpec(
        dag_id=DagId(document["dag_id"]),
        file=document["file"],
        timetable=timetable_from_json(document["timetable"]),
        assets=None if document["assets"] is None else condition_from_json(document["assets"]),
        partitioning=partitioning_from_json(document["partitioning"]) if "partitioning" in document else None,
        watchers=tuple(watcher_from_json(one) for one in document.get("watchers", ())),
        tasks=tuple(task_from_json(task) for task in document["tasks"]),
        start_date=datetime.fromisoformat(start) if start else None,
        end_date=datetime.fromisoformat(end) if end else None,
        catchup=document["catchup"],
        max_active_runs=document["max_active_runs"],
        max_active_tasks=document["max_active_tasks"],
        max_consecutive_failed_runs=document["max_consecutive_failed_runs"],
        dagrun_timeout=None if timeout is None else timedelta(seconds=timeout),
        is_paused_upon_creation=document["is_paused_upon_creation"],
        params=document["params"],
        has_run_callbacks=document["has_run_callbacks"],
        fail_fast=document.get("fail_fast", False),
        deadlines=tuple(DeadlineSpec.from_json(one) for one in document.get("deadlines", ())),
        presentation=document["presentation"],
    )


def structural_hash(dag: DagSpec) -> str:
    """Return sha256 in hex of the DAG's canonical JSON: equal for two parses exactly when nothing changed."""
    canonical = json.dumps(dag_to_json(dag), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
