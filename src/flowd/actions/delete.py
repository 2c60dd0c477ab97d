"""delete_run and delete_dag: what there was of them is to be gone."""

from flowd.actions.backends import Backends
from flowd.actions.pause_dag import set_paused
from flowd.db.ledger import advance, delete, read
from flowd.domain.errors import Conflict, NotFound
from flowd.domain.ids import DagId, RunId
from flowd.domain.states import RunState

BATCH = 200
"""Runs that one transaction deletes."""


async def delete_run(backends: Backends, dag_id: DagId, run_id: RunId) -> None:
    """Delete a run and all that is of it; raise NotFound for an unknown one, Conflict for one that is running."""

    async def attempt() -> None:
        async with backends.metastore.transaction() as tx:
            key = await advance.key_of(tx, dag_id, run_id)
            held = await read.runs(tx, [key]) if key is not None else []
            if not held:
                raise NotFound(f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found")
            if held[0].state is RunState.RUNNING:
                raise Conflict(
                    f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` cannot be deleted in running state"
                )
            await delete.delete_runs(tx, held)
            tx.tell(f"run {dag_id}.{run_id}", {"state": held[0].state.value}, None)

    await backends.metastore.retrying(attempt)


async def delete_dag(backends: Backends, dag_id: DagId) -> None:
    """Delete a DAG with its runs, versions and backfills. Where its file is still there, it is soon a new DAG.

    The DAG is paused first, and its runs then go some at a time: interrupted, it may be deleted again. Raises NotFound
    for an unknown DAG, Conflict while tasks of it run.
    """
    await set_paused(backends, dag_id, True)
    while await backends.metastore.retrying(lambda: _delete_some(backends, dag_id)):
        pass


async def _delete_some(backends: Backends, dag_id: DagId) -> bool:
    """Delete some runs, or where there is none left the DAG; return whether there is more to do."""
    async with backends.metastore.transaction() as tx:
        held = await delete.hold_runs(tx, dag_id, limit=BATCH)
        if await delete.has_running_tasks(tx, dag_id):
            raise Conflict(f"Task instances of dag with id: '{dag_id}' are still running")
        if held:
            await delete.delete_runs(tx, held)
            for run in held:
                tx.tell(f"run {dag_id}.{run.run_id}", {"state": run.state.value}, None)
        else:
            await delete.delete_dag(tx, dag_id)
            tx.tell(f"DAG {dag_id}", {}, None)
        return bool(held)
