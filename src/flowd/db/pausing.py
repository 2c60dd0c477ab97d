"""Pausing DAGs."""

import json
from collections.abc import Collection

from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId, RunKey
from flowd.domain.states import RunState


async def is_paused(tx: Transaction, dag_id: DagId) -> bool:
    """Return whether the DAG is paused; False for an unknown DAG."""
    return bool((await tx.execute("SELECT is_paused FROM dag WHERE dag_id = :dag_id", {"dag_id": dag_id})).scalar())


async def states(tx: Transaction, dag_ids: Collection[DagId]) -> dict[DagId, bool]:
    """Return of those of these DAGs that are known whether each is paused."""
    rows = await tx.execute(
        f"SELECT dag_id, is_paused FROM dag WHERE dag_id IN {tx.dialect.keys(type_='text')}",
        {"keys": json.dumps(sorted(dag_ids))},
    )
    return {DagId(dag_id): bool(paused) for dag_id, paused in rows}


async def set_paused(tx: Transaction, dag_id: DagId, is_paused: bool) -> bool:
    """Write whether the DAG is paused; return False for an unknown DAG."""
    changed = await tx.execute(
        "UPDATE dag SET is_paused = :is_paused WHERE dag_id = :dag_id", {"dag_id": dag_id, "is_paused": is_paused}
    )
    return changed.rowcount == 1


async def live_runs(tx: Transaction, dag_id: DagId) -> list[RunKey]:
    """Return the queued and running runs of the DAG, oldest first."""
    rows = await tx.execute(
        "SELECT id FROM dag_run WHERE dag_id = :dag_id AND state IN ('queued', 'running') ORDER BY id",
        {"dag_id": dag_id},
    )
    return [RunKey(key) for (key,) in rows]


async def pause_after_failures(tx: Transaction, dag_id: DagId, limit: int) -> bool:
    """Pause the DAG where its latest `limit` runs have all failed; return True where it was not paused before."""
    rows = await tx.execute(
        "SELECT state FROM dag_run WHERE dag_id = :dag_id ORDER BY run_after DESC, id DESC LIMIT :limit",
        {"dag_id": dag_id, "limit": limit},
    )
    states = [state for (state,) in rows]
    if len(states) < limit or any(state != RunState.FAILED.value for state in states):
        return False
    paused = await tx.execute(
        "UPDATE dag SET is_paused = :yes WHERE dag_id = :dag_id AND NOT is_paused", {"yes": True, "dag_id": dag_id}
    )
    return paused.rowcount == 1
