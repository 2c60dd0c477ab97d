"""XComs: the small values that tasks leave for others, each under the name its task instance gave it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flowd.db.ledger.read import as_json
from flowd.db.moments import to_db
from flowd.db.storable import storable
from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId, InstanceKey, RunId
from flowd.domain.mappable import TAG, items_of, length_of

_COLUMNS = {"instance": "int", "name": "text", "value": "text", "length": "int", "at": "int"}


_OF_TASK = (
    "FROM dag_run d JOIN task_instance t ON t.run = d.id JOIN xcom x ON x.instance = t.id AND x.name = :name"
    " WHERE d.dag_id = :dag_id AND d.run_id = :run_id AND t.task_id = :task_id"
)
_MAPPED = " AND t.map_index >= 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class XCom:
    """One value, as JSON text, and who left it."""

    run_id: RunId
    task_id: str
    map_index: int
    name: str
    value: Any


async def push(tx: Transaction, values: Sequence[tuple[InstanceKey, str, Any]], now: datetime) -> None:
    """Store these JSON values by instance and name, each in the place of one it had under that name; deferred."""
    if not values:
        return
    document = as_json(
        [
            # In ASCII: JSON can hold what no metastore can, NUL and halves of characters, but only as escapes.
            {
                "instance": key,
                "name": storable(name),
                "value": json.dumps(value),
                "length": length_of(value),
                "at": to_db(now),
            }
            for key, name, value in values
        ]
    )
    for statement in tx.dialect.replace("xcom", _COLUMNS, keys=("instance", "name")):
        await tx.defer("xcom", statement, {"rows": document})


async def length(
    tx: Transaction, *, dag_id: DagId, run_id: RunId, task_id: str, name: str, is_mapped: bool
) -> int | None:
    """Return how many items a task's value has, None where it has none; of a mapped task, how many have left one."""
    counted = f"COUNT(*) {_OF_TASK}{_MAPPED}" if is_mapped else f"MAX(x.length) {_OF_TASK}"
    found: int | None = (await tx.execute(f"SELECT {counted}", _named(dag_id, run_id, task_id, name))).scalar_one()
    return found


async def items(
    tx: Transaction,
    *,
    dag_id: DagId,
    run_id: RunId,
    task_id: str,
    name: str,
    is_mapped: bool,
    start: int,
    count: int,
) -> tuple[list[Any], bool]:
    """Return `count` items from `start` on of a task's value, and whether they are the pairs of a dict.

    Of a mapped task they are the values that its instances have left, by map index. There may be fewer, or none.
    """
    named = _named(dag_id, run_id, task_id, name)
    if is_mapped:
        rows = await tx.execute(
            f"SELECT x.value {_OF_TASK}{_MAPPED} ORDER BY t.map_index LIMIT :count OFFSET :start",
            {**named, "count": count, "start": start},
        )
        return [json.loads(value) for (value,) in rows], False
    value = (await tx.execute(f"SELECT x.value {_OF_TASK}", named)).scalar_one_or_none()
    document = None if value is None else json.loads(value)
    found = items_of(document) or []
    return found[start : start + count], isinstance(document, dict) and document.get(TAG, "dict") == "dict"


def _named(dag_id: DagId, run_id: RunId, task_id: str, name: str) -> dict[str, str]:
    return {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "name": name}


async def forget(tx: Transaction, instances: Sequence[InstanceKey]) -> None:
    """Delete what these instances have pushed: their next try begins with nothing."""
    if instances:
        keys = json.dumps(list(instances))
        await tx.execute(f"DELETE FROM xcom WHERE instance IN {tx.dialect.keys()}", {"keys": keys})


async def pull(
    tx: Transaction,
    *,
    dag_id: DagId,
    run_id: RunId,
    name: str,
    task_ids: Sequence[str] | None,
    map_indexes: Sequence[int] | None,
    include_prior_dates: bool,
) -> list[XCom]:
    """Return the values of this name that a run's tasks have left, in order of task and map index.

    `include_prior_dates` looks into earlier runs of the DAG too and returns of each task only the latest.
    """
    tasks = f" AND t.task_id IN {tx.dialect.keys('task_ids', 'text')}" if task_ids is not None else ""
    indexes = f" AND t.map_index IN {tx.dialect.keys('map_indexes')}" if map_indexes is not None else ""
    runs = "d.run_after <= o.run_after" if include_prior_dates else "d.id = o.id"
    rows = await tx.execute(
        "SELECT d.run_id, t.task_id, t.map_index, x.name, x.value FROM dag_run o"
        f" JOIN dag_run d ON d.dag_id = o.dag_id AND {runs}"
        " JOIN task_instance t ON t.run = d.id JOIN xcom x ON x.instance = t.id AND x.name = :name"
        f" WHERE o.dag_id = :dag_id AND o.run_id = :run_id{tasks}{indexes}"
        " ORDER BY d.run_after DESC, t.task_id, t.map_index",
        {
            "dag_id": dag_id,
            "run_id": run_id,
            "name": name,
            **({"task_ids": json.dumps(list(task_ids))} if task_ids is not None else {}),
            **({"map_indexes": json.dumps(list(map_indexes))} if map_indexes is not None else {}),
        },
    )
    latest: dict[tuple[str, int], XCom] = {}
    for run, task_id, map_index, found, value in rows:
        latest.setdefault(
            (task_id, map_index),
            XCom(run_id=RunId(run), task_id=task_id, map_index=map_index, name=found, value=json.loads(value)),
        )
    return [latest[place] for place in sorted(latest)]


async def of_run(tx: Transaction, dag_id: DagId, run_id: RunId) -> list[XCom]:
    """Return every value that the tasks of a run have left."""
    rows = await tx.execute(
        "SELECT t.task_id, t.map_index, x.name, x.value FROM dag_run d"
        " JOIN task_instance t ON t.run = d.id JOIN xcom x ON x.instance = t.id"
        " WHERE d.dag_id = :dag_id AND d.run_id = :run_id ORDER BY t.task_id, t.map_index, x.name",
        {"dag_id": dag_id, "run_id": run_id},
    )
    return [
        XCom(run_id=run_id, task_id=task_id, map_index=map_index, name=name, value=json.loads(value))
        for task_id, map_index, name, value in rows
    ]
