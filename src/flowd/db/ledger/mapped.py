"""Mapped tasks: their instances, the making of these, and the lengths of the results they expand over."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flowd.db.ledger import choosing
from flowd.db.ledger.advance import Row, row_of
from flowd.db.ledger.read import INSTANCE_COLUMNS, TALLY_COLUMNS, as_json
from flowd.db.transaction import Transaction
from flowd.domain.ids import InstanceKey, RunKey, TaskId
from flowd.domain.states import TaskState
from flowd.domain.tally import Tally
from flowd.domain.task_instance import TaskInstance

MOST_MADE = 500
"""How many instances one statement makes: enough to cost little each, few enough to hold nobody up for long."""

MOST_BRIEF = 50
"""How many instances a brief transaction may make or change: more, and it takes back that it is brief."""

_MADE = {"map_index": "int"}
_COPIED = "run, dag_id, task_id, operator, pool, pool_slots, priority, queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """An instance of a task over whose results others expand: `length` is that of what it returned, if it has one."""

    key: InstanceKey
    task_id: TaskId
    state: TaskState
    has_value: bool
    length: int | None


async def members(tx: Transaction, run: RunKey, task_ids: Iterable[TaskId]) -> dict[TaskId, list[Row]]:
    """Return every instance of these tasks, under lock, by map index."""
    rows = await choosing.locked(
        tx,
        "task_instance",
        f"{INSTANCE_COLUMNS}, {TALLY_COLUMNS}",
        f"t.run = :run AND t.task_id IN {tx.dialect.keys(type_='text')}",
        {"run": run, "keys": json.dumps(sorted(task_ids))},
    )
    found: dict[TaskId, list[Row]] = {}
    for row in sorted((row_of(row) for row in rows), key=lambda row: row.instance.map_index):
        found.setdefault(row.instance.task_id, []).append(row)
    return found


async def returned(tx: Transaction, run: RunKey, task_ids: Iterable[TaskId]) -> list[Returned]:
    """Return what the instances of these tasks have returned, without a lock."""
    rows = await tx.execute(
        "SELECT t.id, t.task_id, t.state, x.instance, x.length FROM task_instance t"
        " LEFT JOIN xcom x ON x.instance = t.id AND x.name = 'return_value'"
        f" WHERE t.run = :run AND t.task_id IN {tx.dialect.keys(type_='text')}",
        {"run": run, "keys": json.dumps(sorted(task_ids))},
    )
    return [
        Returned(
            key=InstanceKey(key),
            task_id=TaskId(task_id),
            state=TaskState(state),
            has_value=instance is not None,
            length=length,
        )
        for key, task_id, state, instance, length in rows
    ]


async def become_first(tx: Transaction, instance: TaskInstance) -> TaskInstance:
    """Make the one instance of a task that is not yet expanded the first of many; return it so."""
    await tx.execute(
        f"UPDATE task_instance{tx.dialect.by_key} SET map_index = 0 WHERE id = :key AND map_index = -1",
        {"key": instance.key},
    )
    return instance._replace(map_index=0)


async def make(
    tx: Transaction, first: TaskInstance, indexes: Sequence[int], *, retries: int, tally: Tally
) -> list[TaskInstance]:
    """Insert undecided instances like `first` with these map indexes, and return them in their order."""
    if len(indexes) > MOST_BRIEF:
        tx.linger()
    counted = {f"up_{name}": getattr(tally, name) for name in Tally.__slots__}
    statement = (
        f"INSERT INTO task_instance ({_COPIED}, map_index, state, version, try_number, max_tries, {', '.join(counted)})"
        f" SELECT {', '.join(f't.{name}' for name in _COPIED.split(', '))}, r.map_index, 'none', 0, 0, :retries,"
        f" {', '.join(f':{name}' for name in counted)} FROM {tx.dialect.rows(_MADE)}"
        " JOIN task_instance t ON t.id = :first"
    )
    for start in range(0, len(indexes), MOST_MADE):
        rows = as_json([{"map_index": index} for index in indexes[start : start + MOST_MADE]])
        await tx.execute(statement, {"rows": rows, "first": first.key, "retries": retries, **counted})
    keys = await _keys(tx, first, indexes)
    blank = TaskInstance(key=first.key, run=first.run, dag_id=first.dag_id, task_id=first.task_id, max_tries=retries)
    return [blank._replace(key=keys[index], map_index=index) for index in indexes]


async def _keys(tx: Transaction, first: TaskInstance, indexes: Sequence[int]) -> Mapping[int, InstanceKey]:
    rows = await tx.execute(
        "SELECT map_index, id FROM task_instance WHERE run = :run AND task_id = :task_id AND map_index >= :least",
        {"run": first.run, "task_id": first.task_id, "least": min(indexes, default=0)},
    )
    return {index: InstanceKey(key) for index, key in rows}
