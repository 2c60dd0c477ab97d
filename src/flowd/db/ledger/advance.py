"""The reads and writes of a run's advance: news, standings below them, tallies, and the run's own counters."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowd.db.dialect import Kind
from flowd.db.ledger import choosing, read
from flowd.db.ledger.read import INSTANCE_COLUMNS, TALLY_COLUMNS, as_json, instance_of, tally_of
from flowd.db.moments import to_db
from flowd.db.rows import Row as Columns
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun
from flowd.domain.ids import UNMAPPED, DagId, InstanceKey, RunId, RunKey, TaskId
from flowd.domain.states import FINISHED, TaskState
from flowd.domain.tally import Tally
from flowd.domain.task_instance import TaskInstance

_TALLY = ("up_success", "up_failed", "up_skipped", "up_upstream_failed", "up_removed", "up_extra")
_ENDED = ", ".join(f"'{state}'" for state in sorted(FINISHED))
_SETTLED = ", ".join(f"'{state}'" for state in sorted({*FINISHED, TaskState.NONE, TaskState.RESTARTING}))
_RUN_FIELDS = {"id": "int", "unfinished": "int", "timeout_at": "int", "has_news": "bool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An instance and the tally of its upstreams."""

    instance: TaskInstance
    tally: Tally


async def runs_flagged(tx: Transaction, *, after: RunKey, limit: int) -> list[RunKey]:
    """Return the first runs behind `after` which have begun and are to be looked at as a whole, in order."""
    rows = await tx.execute(
        "SELECT id FROM dag_run WHERE has_news AND state <> 'queued' AND id > :after ORDER BY id LIMIT :limit",
        {"after": after, "limit": limit},
    )
    return [RunKey(key) for (key,) in rows]


async def runs_with_ended(tx: Transaction, *, limit: int) -> set[RunKey]:
    """Return runs which have begun and have an ended instance whose downstreams have not been told."""
    rows = await tx.execute(
        "SELECT DISTINCT t.run FROM task_instance t JOIN dag_run d ON d.id = t.run"
        " WHERE t.needs_propagation AND d.state <> 'queued' LIMIT :limit",
        {"limit": limit},
    )
    return {RunKey(key) for (key,) in rows}


async def runs_past_timeout(tx: Transaction) -> set[RunKey]:
    """Return the running runs whose dagrun_timeout has passed."""
    rows = await tx.execute(
        f"SELECT id FROM dag_run WHERE state = 'running' AND timeout_at <= {tx.dialect.now} LIMIT 100"
    )
    return {RunKey(key) for (key,) in rows}


async def lock_dags(tx: Transaction, dag_ids: Iterable[DagId]) -> dict[DagId, bool]:
    """Lock the DAGs in the order of their ids and return for each whether it is paused."""
    rows = await tx.execute(
        f"SELECT dag_id, is_paused FROM dag WHERE dag_id IN {tx.dialect.keys(type_='text')}"
        f" ORDER BY dag_id{tx.dialect.for_update}",
        {"keys": json.dumps(sorted(set(dag_ids)))},
    )
    return {DagId(dag_id): bool(is_paused) for dag_id, is_paused in rows}


async def ended_instances(tx: Transaction, runs: Sequence[RunKey]) -> list[TaskInstance]:
    """Return the ended instances of these runs whose downstreams have not been told, under lock."""
    rows = await choosing.locked(
        tx,
        "task_instance",
        INSTANCE_COLUMNS,
        f"t.needs_propagation AND t.run IN {tx.dialect.keys()}",
        {"keys": json.dumps(list(runs))},
    )
    return [instance_of(row) for row in rows]


async def standings(
    tx: Transaction, wanted: Iterable[tuple[RunKey, TaskId, int]], *, lock: bool = True
) -> dict[tuple[RunKey, TaskId, int], Row]:
    """Return those of these instances that there are, with their tallies, under lock unless told otherwise."""
    columns = f"{INSTANCE_COLUMNS}, {TALLY_COLUMNS}"
    joined = (
        f"FROM {tx.dialect.rows({'run': 'int', 'task_id': 'text', 'map_index': 'int'})}"
        " JOIN task_instance t ON t.run = r.run AND t.task_id = r.task_id AND t.map_index = r.map_index"
    )
    names = {"rows": as_json([{"run": run, "task_id": task, "map_index": index} for run, task, index in wanted])}
    if lock and tx.dialect.kind is Kind.MYSQL:
        # InnoDB would lock in the order of the join, whatever the order of the answer.
        keys = json.dumps([key for (key,) in await tx.execute(f"SELECT t.id {joined}", names)])
        statement = (
            f"SELECT {columns} FROM task_instance t{tx.dialect.by_key} WHERE t.id IN {tx.dialect.keys()}"
            f" ORDER BY t.id{tx.dialect.for_update}"
        )
        rows = await tx.execute(statement, {"keys": keys})
    else:
        locking = tx.dialect.for_update_of("t") if lock else ""
        rows = await tx.execute(f"SELECT {columns} {joined} ORDER BY t.id{locking}", names)
    return {(RunKey(row["run"]), TaskId(row["task_id"]), row["map_index"]): row_of(row) for row in rows.mappings()}


def row_of(row: Columns) -> Row:
    """Return the value of a row that has INSTANCE_COLUMNS and TALLY_COLUMNS."""
    return Row(instance=instance_of(row), tally=tally_of(row))


async def flag(tx: Transaction, runs: Iterable[RunKey]) -> None:
    """Ask the advancer to look at these runs as a whole; locks them, and so must come before any lock of instances."""
    keys = sorted(set(runs))
    await read.runs(tx, keys)
    await tx.execute(
        f"UPDATE dag_run SET has_news = :yes WHERE id IN {tx.dialect.keys()}", {"keys": json.dumps(keys), "yes": True}
    )


async def undecided(tx: Transaction, run: RunKey, tasks: Collection[TaskId]) -> list[Row]:
    """Return the instances of a run that are to be judged, with their tallies, under lock.

    They are those in state none, and those under way whose task is none of `tasks`, the run's own.
    """
    rows = await choosing.locked(
        tx,
        "task_instance",
        f"{INSTANCE_COLUMNS}, {TALLY_COLUMNS}",
        "t.run = :run AND (t.state = 'none'"
        f" OR (t.state NOT IN ({_SETTLED}) AND t.task_id NOT IN {tx.dialect.keys(type_='text')}))",
        {"run": run, "keys": json.dumps(list(tasks))},
    )
    return [row_of(row) for row in rows]


async def branches(tx: Transaction, run: RunKey) -> list[TaskInstance]:
    """Return the finished instances of a run that decided against others, without a lock."""
    rows = await tx.execute(
        f"SELECT {INSTANCE_COLUMNS} FROM task_instance t"
        " WHERE t.run = :run AND t.skips IS NOT NULL AND t.state = 'success'",
        {"run": run},
    )
    return [instance_of(row) for row in rows.mappings()]


async def states_of(
    tx: Transaction, run: RunKey, *, task_ids: Sequence[TaskId] | None = None
) -> dict[tuple[TaskId, int], TaskState]:
    """Return the states of a run's instances by task and map index, or of those of some tasks."""
    rows = await tx.execute("SELECT task_id, map_index, state FROM task_instance WHERE run = :run", {"run": run})
    wanted = None if task_ids is None else set(task_ids)
    return {
        (TaskId(task_id), map_index): TaskState(state)
        for task_id, map_index, state in rows
        if wanted is None or TaskId(task_id) in wanted
    }


async def tasks_begun(tx: Transaction, run: RunKey) -> tuple[set[tuple[TaskId, bool]], int]:
    """Return the tasks that have an instance in the run, each with whether it is an expanded one, and what is left.

    What is left is how many instances have not ended or not told of it.
    """
    rows = (
        await tx.execute(
            "SELECT task_id, map_index, state, needs_propagation FROM task_instance WHERE run = :run", {"run": run}
        )
    ).all()
    unfinished = sum(not TaskState(state).is_finished or bool(is_untold) for _, _, state, is_untold in rows)
    return {(TaskId(task_id), map_index != UNMAPPED) for task_id, map_index, _, _ in rows}, unfinished


async def settle(tx: Transaction, tallies: Mapping[InstanceKey, Tally], told: Collection[InstanceKey] = ()) -> None:
    """Write how many upstreams of instances have ended, by outcome, and which ended ones have told their downstreams.

    It is deferred.
    """
    settled = set(told)
    rows = [_settled(key, tallies.get(key), is_told=key in settled) for key in dict.fromkeys([*tallies, *told])]
    if rows:
        statement = tx.dialect.update(
            "task_instance",
            {
                **{name: f"COALESCE(r.{name}, task_instance.{name})" for name in _TALLY},
                "needs_propagation": "CASE WHEN r.is_told THEN :no ELSE task_instance.needs_propagation END",
            },
            rows=tx.dialect.rows({"id": "int", "is_told": "bool"} | dict.fromkeys(_TALLY, "int")),
            where="task_instance.id = r.id",
        )
        await tx.defer("task_instance", statement, {"rows": as_json(rows), "no": False})


def _settled(key: InstanceKey, tally: Tally | None, *, is_told: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"id": key, "is_told": is_told}
    if tally is not None:
        row |= {name: getattr(tally, name.removeprefix("up_")) for name in _TALLY}
    return row


async def mark_told(tx: Transaction, keys: Sequence[InstanceKey]) -> None:
    """Record that the downstreams of these ended instances have been told."""
    await settle(tx, {}, keys)


async def unfinished_instances(tx: Transaction, run: RunKey) -> list[TaskInstance]:
    """Return the instances of a run that have not ended, under lock."""
    rows = await choosing.locked(
        tx, "task_instance", INSTANCE_COLUMNS, f"t.run = :run AND t.state NOT IN ({_ENDED})", {"run": run}
    )
    return [instance_of(row) for row in rows]


async def is_deadlocked(tx: Transaction, run: RunKey) -> bool:
    """Return True where all that has not ended of a run waits for upstreams, and nothing is left to tell it of."""
    rows = await tx.execute(
        "SELECT 1 FROM task_instance WHERE run = :run"
        f" AND (needs_propagation OR state NOT IN ('none', {_ENDED})) LIMIT 1",
        {"run": run},
    )
    return rows.first() is None


async def settle_runs(tx: Transaction, runs: Sequence[DagRun], *, with_news: Collection[RunKey]) -> None:
    """Write how many instances of each run are unfinished, and which of them the advancer must look at as a whole."""
    rows = [
        {
            "id": run.key,
            "unfinished": run.unfinished,
            "timeout_at": to_db(run.timeout_at),
            "has_news": run.key in with_news,
        }
        for run in runs
    ]
    if rows:
        statement = tx.dialect.update(
            "dag_run",
            {name: f"r.{name}" for name in _RUN_FIELDS if name != "id"},
            rows=tx.dialect.rows(_RUN_FIELDS),
            where="dag_run.id = r.id",
        )
        await tx.defer("dag_run", statement, {"rows": as_json(rows)})


async def previous_run(tx: Transaction, run: DagRun) -> RunKey | None:
    """Return the run of the DAG with the latest logical date before this run's."""
    return await _neighbour(tx, run, "<", "DESC")


async def next_run(tx: Transaction, run: DagRun) -> RunKey | None:
    """Return the run of the DAG with the earliest logical date after this run's."""
    return await _neighbour(tx, run, ">", "ASC")


async def _neighbour(tx: Transaction, run: DagRun, side: str, order: str) -> RunKey | None:
    if run.logical_date is None:
        return None
    row = (
        await tx.execute(
            "SELECT id FROM dag_run WHERE dag_id = :dag_id"
            f" AND logical_date {side} :date ORDER BY logical_date {order} LIMIT 1",
            {"dag_id": run.dag_id, "date": to_db(run.logical_date)},
        )
    ).first()
    return None if row is None else RunKey(row[0])


async def versions_of(tx: Transaction, dag_ids: Iterable[DagId]) -> dict[DagId, int]:
    """Return the current version of each of these DAGs."""
    rows = await tx.execute(
        f"SELECT dag_id, version FROM dag WHERE dag_id IN {tx.dialect.keys(type_='text')}",
        {"keys": json.dumps(sorted(set(dag_ids)))},
    )
    return {DagId(dag_id): version for dag_id, version in rows}


async def versions_of_runs(tx: Transaction, runs: Iterable[RunKey]) -> dict[RunKey, int]:
    """Return the DAG version each of these runs is pinned to."""
    rows = await tx.execute(
        f"SELECT id, dag_version FROM dag_run WHERE id IN {tx.dialect.keys()}", {"keys": json.dumps(sorted(set(runs)))}
    )
    return {RunKey(key): version for key, version in rows}


async def key_of(tx: Transaction, dag_id: DagId, run_id: RunId) -> RunKey | None:
    """Return the key of the run a user names, None where there is none."""
    key: int | None = (
        await tx.execute(
            "SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id", {"dag_id": dag_id, "run_id": run_id}
        )
    ).scalar_one_or_none()
    return None if key is None else RunKey(key)


async def is_paused(tx: Transaction, dag_id: DagId) -> bool:
    """Return whether the DAG is paused; an unknown one is not."""
    row = (await tx.execute("SELECT is_paused FROM dag WHERE dag_id = :dag_id", {"dag_id": dag_id})).first()
    return row is not None and bool(row[0])
