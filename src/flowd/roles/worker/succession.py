"""Succession: a restarted worker gives up at once what its dead predecessor held, instead of letting leases run out."""

from collections.abc import Collection

import structlog

from flowd.child.leftovers import kill_marked
from flowd.db.ledger import lease, read, write
from flowd.db.metastore import Metastore
from flowd.domain.ids import ClaimToken, RunKey
from flowd.domain.task_events import Interrupted
from flowd.domain.task_instance import TaskInstance
from flowd.roles.worker.log_shipper import LogShipper
from flowd.roles.worker.reporter import Reporter
from flowd.roles.worker.spool import SPOOL, Spool
from flowd.roles.worker.worker_home import Estate, WorkerHome, abandoned

log = structlog.get_logger(__name__)


async def take_over(
    metastore: Metastore, home: WorkerHome, reporter: Reporter, shipper: LogShipper | None = None
) -> list[RunKey]:
    """Succeed the predecessor of this home and the owners of all that lie abandoned beside it; return their runs.

    The reports in the spools of the others are written too; those of this home are the reporter's own to replay. Logs
    that they have not shipped go to `shipper`.
    """
    runs = await succeed(metastore, home.estate, reporter.spooled)
    if shipper is not None:
        shipper.inherit(home.folder)
    with abandoned(home) as estates:
        for estate in estates:
            if shipper is not None and estate.owner is not None:
                shipper.inherit(estate.folder)
            spool = Spool(estate.folder / SPOOL)
            try:
                spooled = {report.event.token for report in spool.left_behind()}
                runs += await succeed(metastore, estate, spooled)
                await reporter.replay(spool)
            finally:
                spool.close()
            estate.settle()
    return runs


async def succeed(metastore: Metastore, estate: Estate, spooled: Collection[ClaimToken]) -> list[RunKey]:
    """Kill what its owner left running, give the owner's tries back with no retry used, and return their runs.

    Tries whose end is `spooled` are left alone: their report is still to be written.
    """
    if estate.owner is None:
        return []
    async with metastore.reading() as tx:
        held = await lease.held_by(tx, estate.owner)
    orphaned = {key: token for key, token in held.items() if token not in spooled}
    if not orphaned:
        return []
    if estate.is_same_boot:
        kill_marked(set(orphaned.values()))
    async with metastore.transaction() as tx:
        instances = await read.instances(tx, sorted(orphaned))
        changes = [(instance, Interrupted(orphaned[key])) for key, instance in instances.items()]
        given_back = [one for one in await write.apply(tx, changes, await tx.now()) if isinstance(one, TaskInstance)]
    log.warning("gave back what a dead worker held", predecessor=estate.owner, count=len(given_back))
    return [one.run for one in given_back]
