"""XComs: the small values that tasks leave for others, each under the name its task instance gave it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flowd.db import stored_values
from flowd.db.ledger.read import as_json
from flowd.db.moments import to_db
from flowd.db.storable import storable
from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId, InstanceKey, RunId
from flowd.domain.mappable import TAG, items_of, length_of
from flowd.domain.stored_value import StoredValue

_COLUMNS = {"instance": "int", "name": "text", "value": "text", "length": "int", "stored": "text", "at": "int"}


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
    stored = {(key, name): one for key, name, value in values if (one := StoredValue.from_json(value)) is not None}
    document = as_json(
        [
            # In ASCII: JSON can hold what no metastore can, NUL and halves of characters, but only as escapes.
            {
                "instance": key,
                "name": storable(name),
                "value": json.dumps(value),
                "length": length_of(value),
                "stored": stored[key, name].name if (key, name) in stored else None,
                "at": to_db(now),
            }
            for key, name, value in values
        ]
    )
    await stored_values.note(tx, [(key, storable(name), one) for (key, name), one in stored.items()], now)
    for statement in tx.dialect.replace("xcom", _COLUMNS, keys=("instance", "name")):
        await tx.defer("xcom", statement, {"rows": document})


async def length(tx: Transaction, *, dag_id: DagId, run_id: RunId, task_id: str, name: str) -> int | None:
    """Return how many items the value of a task that is not mapped has, None where it has none."""
    found: int | None = (
        await tx.execute(f"SELECT MAX(x.length) {_OF_TASK}", _named(dag_id, run_id, task_id, name))
    ).scalar_one()
    return found


async def instances_with(
    tx: Transaction, *, dag_id: DagId, run_id: RunId, task_id: str, name: str
) -> list[InstanceKey]:
    """Return the instances of a mapped task that have left a value, by map index."""
    rows = await tx.execute(
        f"SELECT x.instance {_OF_TASK}{_MAPPED} ORDER BY t.map_index", _named(dag_id, run_id, task_id, name)
    )
    return [InstanceKey(instance) for (instance,) in rows]


async def values_of(tx: Transaction, instances: Sequence[InstanceKey], name: str) -> list[Any]:
    """Return the values that these instances have left, in this order, less those that are gone."""
    rows = await tx.execute(
        f"SELECT instance, value FROM xcom WHERE name = :name AND instance IN {tx.dialect.keys()}",
        {"name": name, "keys": json.dumps(list(instances))},
    )
    found = {instance: value for instance, value in rows}
    return [json.loads(found[instance]) for instance in instances if instance in found]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which value it is: one that takes its place was left at another moment."""

    instance: InstanceKey
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Items:
    """The items of a value, none where it has none in order; of a dict they are its pairs.

    Those of a value that is stored elsewhere are not here: `reference` says where it is.
    """

    values: list[Any]
    is_dict: bool
    reference: Any = None

    def page(self, start: int, count: int) -> "Items":
        """Return `count` of them from `start` on; there may be fewer, or none."""
        return replace(self, values=self.values[start : start + count])

    @classmethod
    def of(cls, value: Any) -> "Items":
        """Return the items of a JSON value."""
        if StoredValue.from_json(value) is not None:
            return cls([], False, value)
        return cls(items_of(value) or [], isinstance(value, dict) and value.get(TAG, "dict") == "dict")


async def stamp(tx: Transaction, *, dag_id: DagId, run_id: RunId, task_id: str, name: str) -> Stamp | None:
    """Return which value a task that is not mapped has left; None where it has left none."""
    rows = await tx.execute(f"SELECT x.instance, x.at {_OF_TASK}", _named(dag_id, run_id, task_id, name))
    for instance, at in rows:
        return Stamp(InstanceKey(instance), name, at)
    return None


async def text_of(tx: Transaction, stamp: Stamp) -> str:
    """Return the value, which this transaction has seen, as JSON text."""
    text: str = (
        await tx.execute(
            "SELECT value FROM xcom WHERE instance = :instance AND name = :name",
            {"instance": stamp.instance, "name": stamp.name},
        )
    ).scalar_one()
    return text


def _named(dag_id: DagId, run_id: RunId, task_id: str, name: str) -> dict[str, str]:
    return {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "name": name}


async def forget(tx: Transaction, instances: Sequence[InstanceKey]) -> None:
    """Delete what these instances have pushed: their next try begins with nothing."""
    if instances:
        keys = json.dumps(list(instances))
        await tx.execute(f"DELETE FROM xcom WHERE instance IN {tx.dialect.keys()}", {"keys": keys})


async def has(tx: Transaction, instance: InstanceKey, name: str) -> bool:
    """Return whether the instance has left a value under this name."""
    rows = await tx.execute(
        "SELECT 1 FROM xcom WHERE instance = :instance AND name = :name",
        {"instance": instance, "name": storable(name)},
    )
    return rows.first() is not None


async def delete(tx: Transaction, instance: InstanceKey, name: str) -> bool:
    """Delete what the instance has left under this name; return False where that is nothing."""
    gone = await tx.execute(
        "DELETE FROM xcom WHERE instance = :instance AND name = :name", {"instance": instance, "name": storable(name)}
    )
    return gone.rowcount == 1


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
