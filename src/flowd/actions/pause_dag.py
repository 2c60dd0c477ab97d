"""set_paused: stop a DAG from making runs and starting tasks, or let it go on."""

from flowd.actions.backends import Backends
from flowd.db import pausing
from flowd.domain.errors import NotFound
from flowd.domain.ids import DagId


async def set_paused(backends: Backends, dag_id: DagId, is_paused: bool) -> None:
    """Pause or unpause the DAG; raise NotFound for an unknown one.

    Tasks that run go on; none is started while the DAG is paused. Unpausing wakes its queued runs at once.
    """
    async with backends.metastore.transaction() as tx:
        before = await pausing.is_paused(tx, dag_id)
        if not await pausing.set_paused(tx, dag_id, is_paused):
            raise NotFound(f"The Dag with ID: `{dag_id}` was not found")
        tx.tell(f"DAG {dag_id}", {"is_paused": before}, {"is_paused": is_paused})
        live = [] if is_paused else await pausing.live_runs(tx, dag_id)
    await backends.queue.ring(live)
