"""What a task may ask about other DAGs: which there are, and the states of their runs and tasks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flowd.db.moments import to_db
from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId
from flowd.domain.states import TaskState
from flowd.domain.task_groups import tasks_by_group


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChoice:
    """Which runs of a DAG are meant: those of these ids and of these logical dates; None is any."""

    dag_id: DagId
    run_ids: Sequence[str] | None = None
    logical_dates: Sequence[datetime] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalTask:
    """One task instance of a run. A state of None is that of an instance nobody has decided about."""

    run_id: str
    task_id: str
    map_index: int
    state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalDag:
    """A DAG of the metastore; `groups` are the tasks of each task group, those of the groups in it included."""

    is_active: bool
    is_paused: bool
    tasks: Sequence[str]
    groups: Mapping[str, Sequence[str]]


async def find_dag(tx: Transaction, dag_id: DagId) -> ExternalDag | None:
    """Return the DAG in its current version; None where no DAG of this id was ever seen."""
    row = (
        await tx.execute(
            "SELECT d.is_active, d.is_paused, v.spec FROM dag d JOIN dag_version v ON v.id = d.version"
            " WHERE d.dag_id = :dag_id",
            {"dag_id": dag_id},
        )
    ).first()
    if row is None:
        return None
    is_active, is_paused, text = row
    spec = json.loads(text)
    return ExternalDag(
        is_active=bool(is_active),
        is_paused=bool(is_paused),
        tasks=[task["task_id"] for task in spec["tasks"]],
        groups=tasks_by_group(spec["presentation"]),
    )


async def run_states(tx: Transaction, choice: RunChoice) -> dict[str, str]:
    """Return the states of these runs by their ids."""
    condition, parameters = _of_runs(tx, choice)
    return {
        run_id: state
        for run_id, state in await tx.execute(
            f"SELECT d.run_id, d.state FROM dag_run d WHERE {condition} ORDER BY d.id", parameters
        )
    }


async def task_states(
    tx: Transaction, choice: RunChoice, *, task_ids: Sequence[str] | None, map_index: int | None
) -> list[ExternalTask]:
    """Return the instances of these tasks (None: of all) in these runs, by run, task and map index."""
    condition, parameters = _of_runs(tx, choice)
    if task_ids is not None:
        condition += f" AND t.task_id IN {tx.dialect.keys('task_ids', 'text')}"
        parameters["task_ids"] = json.dumps(list(task_ids))
    if map_index is not None:
        condition += " AND t.map_index = :map_index"
        parameters["map_index"] = map_index
    return [
        ExternalTask(run_id=run, task_id=task, map_index=index, state=None if state == TaskState.NONE else state)
        for run, task, index, state in await tx.execute(
            "SELECT d.run_id, t.task_id, t.map_index, t.state FROM dag_run d JOIN task_instance t ON t.run = d.id"
            f" WHERE {condition} ORDER BY d.id, t.task_id, t.map_index",
            parameters,
        )
    ]


def _of_runs(tx: Transaction, choice: RunChoice) -> tuple[str, dict[str, Any]]:
    condition = "d.dag_id = :dag_id"
    parameters: dict[str, Any] = {"dag_id": choice.dag_id}
    if choice.run_ids is not None:
        condition += f" AND d.run_id IN {tx.dialect.keys('run_ids', 'text')}"
        parameters["run_ids"] = json.dumps(list(choice.run_ids))
    if choice.logical_dates is not None:
        condition += f" AND d.logical_date IN {tx.dialect.keys('dates')}"
        parameters["dates"] = json.dumps([to_db(date) for date in choice.logical_dates])
    return condition, parameters
