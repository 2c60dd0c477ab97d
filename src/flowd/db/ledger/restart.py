"""What clearing and marking need: which runs and instances, their tallies counted anew, and results forgotten."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from flowd.db.ledger import advance, choosing, read, write
from flowd.db.ledger.read import INSTANCE_COLUMNS, as_json, instance_of
from flowd.db.moments import to_db
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun
from flowd.domain.graph import Graph
from flowd.domain.ids import DagId, InstanceKey, RunId, RunKey
from flowd.domain.states import TaskState
from flowd.domain.tally import Place, Tally, place_of, recount
from flowd.domain.task_events import Released
from flowd.domain.task_instance import TaskInstance

_PIN = {"id": "int", "dag_version": "int", "bundle": "text"}


async def is_known(tx: Transaction, dag_id: DagId) -> bool:
    """Return whether the metastore has a DAG of this id, even one whose file is gone."""
    return (await tx.execute("SELECT 1 FROM dag WHERE dag_id = :dag_id", {"dag_id": dag_id})).first() is not None


async def select_runs(
    tx: Transaction,
    dag_id: DagId,
    *,
    run_id: RunId | None,
    start_date: datetime | None,
    end_date: datetime | None,
    past: bool,
    future: bool,
) -> list[RunKey]:
    """Return the runs meant: one by its id, with those before or after it by date, or all between two logical dates."""
    if run_id is not None and not past and not future:
        rows = await tx.execute(
            "SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id", {"dag_id": dag_id, "run_id": run_id}
        )
    elif run_id is not None:
        sides = [" OR d.run_after < o.run_after"] if past else []
        sides += [" OR d.run_after > o.run_after"] if future else []
        rows = await tx.execute(
            "SELECT d.id FROM dag_run d JOIN dag_run o ON o.dag_id = d.dag_id"
            f" WHERE o.dag_id = :dag_id AND o.run_id = :run_id AND (d.id = o.id{''.join(sides)}) ORDER BY d.id",
            {"dag_id": dag_id, "run_id": run_id},
        )
    else:
        since = " AND logical_date >= :since" if start_date and not past else ""
        until = " AND logical_date <= :until" if end_date and not future else ""
        bounds = {"since": to_db(start_date)} if since else {}
        bounds |= {"until": to_db(end_date)} if until else {}
        rows = await tx.execute(
            f"SELECT id FROM dag_run WHERE dag_id = :dag_id{since}{until} ORDER BY id", {"dag_id": dag_id, **bounds}
        )
    return [RunKey(key) for (key,) in rows]


async def instances_of(tx: Transaction, run: RunKey) -> list[TaskInstance]:
    """Return every instance of a run, under lock."""
    rows = await choosing.locked(tx, "task_instance", INSTANCE_COLUMNS, "t.run = :run", {"run": run})
    return [instance_of(row) for row in rows]


async def rebalance(
    tx: Transaction, run: DagRun, graph: Graph, instances: Sequence[TaskInstance], told: Sequence[InstanceKey]
) -> DagRun:
    """Count the run's tallies and what is unfinished anew from `instances`, all it has, and flag its news.

    The ends of those in `told` are counted here and need no propagation.
    """
    counted = [one._replace(needs_propagation=False) if one.key in set(told) else one for one in instances]
    await advance.settle(tx, _tallies(graph, counted), told)
    unfinished = sum(not one.state.is_finished or one.needs_propagation for one in counted)
    run = replace(run, unfinished=unfinished)
    await advance.settle_runs(tx, [run], with_news={run.key})
    return run


def _tallies(graph: Graph, instances: Sequence[TaskInstance]) -> dict[InstanceKey, Tally]:
    """Return the tally of each place, by the instance that keeps it: of a mapped task the first."""
    counted = recount(graph, instances)
    kept: dict[Place, TaskInstance] = {}
    for one in instances:
        place = place_of(graph, one.task_id, one.map_index)
        if place in counted and (place not in kept or one.map_index < kept[place].map_index):
            kept[place] = one
    return {one.key: counted[place] for place, one in kept.items()}


async def repin(tx: Transaction, runs: Sequence[DagRun]) -> None:
    """Write the DAG version and bundle that these runs are now pinned to."""
    rows = [{"id": run.key, "dag_version": run.dag_version, "bundle": run.bundle} for run in runs]
    statement = tx.dialect.update(
        "dag_run",
        {"dag_version": "r.dag_version", "bundle": "r.bundle"},
        rows=tx.dialect.rows(_PIN),
        where="dag_run.id = r.id",
    )
    await tx.execute(statement, {"rows": as_json(rows)})


async def release(tx: Transaction, keys: Sequence[InstanceKey], *, try_number: int | None = None) -> list[RunKey]:
    """Let Released happen to these instances, and return the runs that go on by it, flagged for the advancer.

    `try_number` is the try whose process is dead; without it, it is each instance's latest where its lease is over.
    Locks the runs first, as always.
    """
    rows = await tx.execute(
        f"SELECT DISTINCT run FROM task_instance WHERE id IN {tx.dialect.keys()}", {"keys": json.dumps(sorted(keys))}
    )
    runs = await read.runs(tx, sorted(RunKey(run) for (run,) in rows))
    held = await read.instances(tx, keys)
    now = await tx.now()
    changes = [
        (one, Released(try_number or one.try_number))
        for one in held.values()
        # It may have run, and been cleared, once more since the caller looked: then a younger process may live.
        if try_number is not None or (one.held_until is not None and one.held_until <= now)
    ]
    released = [one for one in await write.apply(tx, changes, now) if isinstance(one, TaskInstance)]
    going_on = {one.run for one in released if one.state is TaskState.NONE}
    await advance.settle_runs(tx, [run for run in runs if run.key in going_on], with_news=going_on)
    return sorted(going_on)


async def restarting_over(tx: Transaction, *, limit: int) -> list[InstanceKey]:
    """Return restarting instances whose old process must be dead by now: its lease is over."""
    rows = await tx.execute(
        f"SELECT id FROM task_instance WHERE state = 'restarting' AND held_until <= {tx.dialect.now} LIMIT :limit",
        {"limit": limit},
    )
    return [InstanceKey(key) for (key,) in rows]
