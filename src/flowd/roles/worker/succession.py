"""Succession: a restarted worker gives up at once what its dead predecessor held, instead of letting leases run out."""

from collections.abc import Collection

import structlog

from flowd.child.leftovers import kill_marked
from flowd.db.ledger import lease, read, write
from flowd.db.metastore import Metastore
from flowd.domain.ids import ClaimToken, RunKey
from flowd.domain.task_events import Interrupted
from flowd.domain.task_instance import TaskInstance
from flowd.roles.worker.worker_home import WorkerHome

log = structlog.get_logger(__name__)


async def succeed(metastore: Metastore, home: WorkerHome, spooled: Collection[ClaimToken]) -> list[RunKey]:
    """Kill what the predecessor left running, give its tries back with no retry used, and return their runs.

    Tries whose end is `spooled` are left alone: their report is still to be written.
    """
    if home.predecessor is None:
        return []
    async with metastore.reading() as tx:
        held = await lease.held_by(tx, home.predecessor)
    orphaned = {key: token for key, token in held.items() if token not in spooled}
    if not orphaned:
        return []
    if home.is_same_boot:
        kill_marked(set(orphaned.values()))
    async with metastore.transaction() as tx:
        instances = await read.instances(tx, sorted(orphaned))
        changes = [(instance, Interrupted(orphaned[key])) for key, instance in instances.items()]
        given_back = [one for one in await write.apply(tx, changes, await tx.now()) if isinstance(one, TaskInstance)]
    log.warning("gave back what a dead worker held", predecessor=home.predecessor, count=len(given_back))
    return [one.run for one in given_back]
