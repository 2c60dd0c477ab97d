"""Assignment: one try of one task instance, with all that a worker needs to run it and no metastore at hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flowd.domain.deferral import Resume, resume_from_json, resume_to_json
from flowd.domain.ids import UNMAPPED, BundleHash, DagId, InstanceKey, RunId, TaskId
from flowd.domain.retry import RetryPolicy
from flowd.domain.states import RunType
from flowd.domain.task_spec import DEFAULT_QUEUE, StartMethod
from flowd.domain.work import Work, work_from_json, work_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What a task may know of its run. `params` are the DAG's defaults with `conf` laid over them."""

    run_type: RunType
    run_after: datetime
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    start_date: datetime | None = None
    partition_key: str | None = None
    partition_date: datetime | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One try of one task instance: who it is, what to do, and in which run.

    `max_tries` is Airflow's: a failed try is followed by another while `try_number <= max_tries`. `leg` counts how
    often the try has waited, and `waits_since` is since when; `resume` is how it goes on where it was deferred.
    """

    instance: InstanceKey
    dag_id: DagId
    run_id: RunId
    task_id: TaskId
    map_index: int = UNMAPPED
    try_number: int
    max_tries: int
    leg: int = 0
    waits_since: datetime | None = None
    resume: Resume | None = None
    queue: str = DEFAULT_QUEUE
    operator: str
    work: Work
    bundle: BundleHash
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    execution_timeout: timedelta | None = None
    start_method: StartMethod = StartMethod.FORK
    run: RunContext

    @property
    def label(self) -> str:
        """The try in words, for logs and messages: `dag.task[map_index] run try n`."""
        index = "" if self.map_index == UNMAPPED else f"[{self.map_index}]"
        return f"{self.dag_id}.{self.task_id}{index} {self.run_id} try {self.try_number}"


def assignment_to_json(assignment: Assignment) -> dict[str, Any]:
    """Return the assignment as JSON values; this is the body of a task message and the payload of a task process."""
    timeout = assignment.execution_timeout
    return {
        "dag_id": assignment.dag_id,
        "run_id": assignment.run_id,
        "task_id": assignment.task_id,
        "map_index": assignment.map_index,
        "try_number": assignment.try_number,
        "max_tries": assignment.max_tries,
        "leg": assignment.leg,
        "waits_since": _iso(assignment.waits_since),
        "resume": None if assignment.resume is None else resume_to_json(assignment.resume),
        "instance": assignment.instance,
        "queue": assignment.queue,
        "operator": assignment.operator,
        "work": work_to_json(assignment.work),
        "bundle": assignment.bundle,
        "retry": assignment.retry.to_json(),
        "execution_timeout": None if timeout is None else timeout.total_seconds(),
        "start_method": assignment.start_method.value,
        "run": run_to_json(assignment.run),
    }


def assignment_from_json(document: Mapping[str, Any]) -> Assignment:
    """Return the assignment that `assignment_to_json` wrote.

    Raises KeyError, TypeError or ValueError for a document of another form, OverflowError for a number out of range.
    """
    timeout, resume = document["execution_timeout"], document["resume"]
    return Assignment(
        instance=InstanceKey(int(document["instance"])),
        dag_id=DagId(document["dag_id"]),
        run_id=RunId(document["run_id"]),
        task_id=TaskId(document["task_id"]),
        map_index=int(document["map_index"]),
        try_number=int(document["try_number"]),
        max_tries=int(document["max_tries"]),
        leg=int(document["leg"]),
        waits_since=_moment(document["waits_since"]),
        resume=None if resume is None else resume_from_json(resume),
        queue=document["queue"],
        operator=document["operator"],
        work=work_from_json(document["work"]),
        bundle=BundleHash(document["bundle"]),
        retry=RetryPolicy.from_json(document["retry"]),
        execution_timeout=None if timeout is None else timedelta(seconds=timeout),
        start_method=StartMethod(document["start_method"]),
        run=run_from_json(document["run"]),
    )


def run_to_json(run: RunContext) -> dict[str, Any]:
    """Return what a task may know of its run as JSON values."""
    return {
        "run_type": run.run_type.value,
        "run_after": run.run_after.isoformat(),
        "logical_date": _iso(run.logical_date),
        "data_interval_start": _iso(run.data_interval_start),
        "data_interval_end": _iso(run.data_interval_end),
        "start_date": _iso(run.start_date),
        "partition_key": run.partition_key,
        "partition_date": _iso(run.partition_date),
        "conf": dict(run.conf),
        "params": dict(run.params),
    }


def run_from_json(run: Mapping[str, Any]) -> RunContext:
    """Return the run context that `run_to_json` wrote; raise KeyError, TypeError or ValueError for anything else."""
    return RunContext(
        run_type=RunType(run["run_type"]),
        run_after=datetime.fromisoformat(run["run_after"]),
        logical_date=_moment(run["logical_date"]),
        data_interval_start=_moment(run["data_interval_start"]),
        data_interval_end=_moment(run["data_interval_end"]),
        start_date=_moment(run["start_date"]),
        partition_key=run["partition_key"],
        partition_date=_moment(run["partition_date"]),
        conf=run["conf"],
        params=run["params"],
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
