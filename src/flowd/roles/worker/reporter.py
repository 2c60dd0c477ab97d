"""Reporter: writes the ends of tries to the ledger, many in one transaction, for as long as it takes."""

from collections.abc import Sequence
from functools import partial

import structlog

from flowd.db import xcoms
from flowd.db.ledger import read, restart, write
from flowd.db.metastore import Metastore
from flowd.domain.assignment import Assignment
from flowd.domain.ids import ClaimToken, RunKey
from flowd.domain.task_events import Succeeded
from flowd.domain.task_instance import TaskInstance
from flowd.queue.base import Queue
from flowd.roles.backoff import patiently
from flowd.roles.group_commit import GroupCommit
from flowd.roles.worker.report import Report
from flowd.roles.worker.spool import Spool

log = structlog.get_logger(__name__)


class Reporter:
    """Spools a report, writes it by compare-and-set on its token, and rings the scheduler's doorbell.

    A report whose token no longer stands changes nothing and is logged as fenced.
    """

    def __init__(self, metastore: Metastore, queue: Queue, spool: Spool) -> None:
        self._metastore = metastore
        self._queue = queue
        self._spool = spool
        self._left_behind = spool.left_behind()
        self._group: GroupCommit[Report, bool] = GroupCommit(self._flush)

    @property
    def spooled(self) -> frozenset[ClaimToken]:
        """The tokens whose reports an earlier process left in the spool."""
        return frozenset(report.event.token for report in self._left_behind)

    async def run(self) -> None:
        """Write what an earlier process left in the spool, then what is submitted, until cancelled."""
        if self._left_behind:
            log.info("replaying spooled reports", count=len(self._left_behind))
            await self._write(self._left_behind)
        await self._group.run()

    async def report(self, report: Report) -> bool:
        """Return once the ledger has the report: True where it counted, False where it was fenced."""
        return await self._group.submit(report)

    async def release(self, assignment: Assignment) -> None:
        """Say that the processes of a fenced try are dead; where the ledger holds nothing for them, nothing changes."""

        async def attempt() -> list[RunKey]:
            async with self._metastore.transaction() as tx:
                return await restart.release(tx, [assignment.instance], try_number=assignment.try_number)

        await self._queue.ring(await patiently("Reporter", attempt))

    async def _flush(self, reports: Sequence[Report]) -> Sequence[bool]:
        await self._spool.append(reports)
        return await self._write(reports)

    async def _write(self, reports: Sequence[Report]) -> Sequence[bool]:
        answers = await patiently("Reporter", partial(self._write_once, reports))
        self._spool.done(reports)
        await self._queue.ring(sorted({run for run in answers if run is not None}))
        return [run is not None for run in answers]

    async def _write_once(self, reports: Sequence[Report]) -> list[RunKey | None]:
        async with self._metastore.transaction() as tx:
            held = await read.instances(tx, [report.instance for report in reports])
            known = [report for report in reports if report.instance in held]
            now = await tx.now()
            answers = await write.apply(
                tx,
                [(held[report.instance], report.event) for report in known],
                now,
                measured={report.instance: report.measured for report in known},
            )
            counted = {
                report.event.token: answer
                for report, answer in zip(known, answers, strict=True)
                if isinstance(answer, TaskInstance)
            }
            await xcoms.push(
                tx,
                [
                    (report.instance, name, value)
                    for report in known
                    if report.event.token in counted and isinstance(report.event, Succeeded)
                    for name, value in report.returned.items()
                ],
                now,
            )
        for report in reports:
            if report.event.token not in counted:
                log.warning("report fenced", task=report.label, cause=report.event.cause)
        return [counted[report.event.token].run if report.event.token in counted else None for report in reports]
