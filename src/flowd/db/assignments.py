"""Making assignments: what a queued instance, its run and its DAG version say a worker must do."""

import json
from collections.abc import Sequence

from flowd.db import deferrals
from flowd.db.graphs import Graphs
from flowd.db.moments import from_db
from flowd.db.rows import Row
from flowd.db.transaction import Transaction
from flowd.domain.assignment import Assignment, RunContext
from flowd.domain.dag_spec import DagSpec
from flowd.domain.errors import NotFound
from flowd.domain.ids import BundleHash, RunId, RunKey, TaskId
from flowd.domain.states import RunType
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_spec import TaskSpec
from flowd.domain.work import PythonWork

CONTEXT_COLUMNS = (
    "run_type, run_after, logical_date, data_interval_start, data_interval_end, started_at,"
    " partition_key, partition_date, conf"
)


async def assignments(tx: Transaction, graphs: Graphs, instances: Sequence[TaskInstance]) -> list[Assignment]:
    """Return the assignment of the current try of each instance, in order."""
    rows = await tx.execute(
        f"SELECT id, run_id, dag_version, bundle, {CONTEXT_COLUMNS} FROM dag_run WHERE id IN {tx.dialect.keys()}",
        {"keys": json.dumps(sorted({instance.run for instance in instances}))},
    )
    runs = {row["id"]: row for row in rows.mappings()}
    by_version = await graphs.get(tx, {row["dag_version"] for row in runs.values()})
    contexts = {key: context_of(row, by_version[row["dag_version"]].dag) for key, row in runs.items()}
    resumes = await deferrals.resumes(tx, instances)
    made: list[Assignment] = []
    for instance in instances:
        run = runs[instance.run]
        dag = by_version[run["dag_version"]]
        task = dag.tasks.get(instance.task_id) or _unknown(dag.dag, instance.task_id)
        made.append(
            Assignment(
                instance=instance.key,
                dag_id=instance.dag_id,
                run_id=RunId(run["run_id"]),
                task_id=instance.task_id,
                map_index=instance.map_index,
                try_number=instance.try_number,
                max_tries=instance.max_tries,
                leg=instance.leg,
                waits_since=instance.waits_since,
                resume=resumes.get(instance.key),
                queue=task.queue,
                operator=task.operator,
                work=task.work,
                bundle=BundleHash(run["bundle"]),
                retry=task.retry,
                execution_timeout=task.execution_timeout,
                start_method=task.start_method,
                run=contexts[instance.run],
            )
        )
    return made


async def run_context(tx: Transaction, run: RunKey, dag: DagSpec) -> RunContext:
    """Return what a task, or a callback of the DAG, may know of the run; raise NotFound where there is none."""
    rows = await tx.execute(f"SELECT {CONTEXT_COLUMNS} FROM dag_run WHERE id = :run", {"run": run})
    for row in rows.mappings():
        return context_of(row, dag)
    raise NotFound(f"there is no run {run}")


def _unknown(dag: DagSpec, task_id: TaskId) -> TaskSpec:
    """Return what to do for a task that the run's version of the DAG no longer has: its process says so, and fails.

    One such try must cost no other its claim; the advancer removes the instance.
    """
    return TaskSpec(task_id=task_id, operator="", work=PythonWork(file=dag.file, callable=task_id))


def context_of(row: Row, dag: DagSpec) -> RunContext:
    """Return what a task may know of the run in this row, which has CONTEXT_COLUMNS."""
    conf = json.loads(row["conf"])
    defaults = {name: param.get("value") for name, param in dag.params.items()}
    return RunContext(
        run_type=RunType(row["run_type"]),
        run_after=from_db(row["run_after"]),
        logical_date=from_db(row["logical_date"]),
        data_interval_start=from_db(row["data_interval_start"]),
        data_interval_end=from_db(row["data_interval_end"]),
        start_date=from_db(row["started_at"]),
        partition_key=row["partition_key"],
        partition_date=from_db(row["partition_date"]),
        conf=conf,
        params={**defaults, **conf},
    )
