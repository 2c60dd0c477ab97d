"""Reporter: writes the ends of tries to the ledger, many in one transaction, for as long as it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import structlog

from flowd.db import assets, deferrals, xcoms
from flowd.db.failures import first_line
from flowd.db.ledger import lease, map_names, read, restart, write
from flowd.db.ledger.write import Measured
from flowd.db.metastore import Metastore
from flowd.db.storable import storable
from flowd.db.transaction import Transaction
from flowd.domain.assignment import Assignment
from flowd.domain.ids import ClaimToken, InstanceKey, RunKey
from flowd.domain.task_events import Failed, ReportEvent, Succeeded
from flowd.domain.task_instance import TaskInstance
from flowd.queue.base import Queue
from flowd.roles.backoff import patiently
from flowd.roles.group_commit import GroupCommit
from flowd.roles.loop import Bell
from flowd.roles.worker.report import Report
from flowd.roles.worker.spool import Spool

log = structlog.get_logger(__name__)

_MOST_ERROR_CHARACTERS = 2_000
"""A database's error may hold the whole value that it refuses."""


class Reporter:
    """Spools a report, writes it by compare-and-set on its token, and rings the scheduler's doorbell.

    A report whose token no longer stands changes nothing and is logged as fenced. One that the ledger cannot take, for
    what it holds, becomes a failure that says so, and hinders no other.
    """

    def __init__(self, metastore: Metastore, queue: Queue, spool: Spool) -> None:
        self._metastore = metastore
        self._queue = queue
        self._spool = spool
        self._left_behind = spool.left_behind()
        self.deferred = Bell()
        """Rung when a trigger is to be run."""
        self._group: GroupCommit[Report, bool] = GroupCommit(self._flush)

    @property
    def spooled(self) -> frozenset[ClaimToken]:
        """The tokens whose reports an earlier process left in the spool."""
        return frozenset(report.event.token for report in self._left_behind)

    async def run(self) -> None:
        """Write what an earlier process left in the spool, then what is submitted, until cancelled."""
        await self._replay(self._left_behind, self._spool)
        await self._group.run()

    async def replay(self, spool: Spool) -> None:
        """Write what another process has left in its spool."""
        await self._replay(spool.left_behind(), spool)

    async def report(self, report: Report) -> bool:
        """Return once the ledger has the report: True where it counted, False where it was fenced."""
        return await self._group.submit(report)

    async def release(self, assignment: Assignment) -> None:
        """Say that the processes of a fenced try are dead; where the ledger holds nothing for them, nothing changes."""

        async def attempt() -> list[RunKey]:
            async with self._metastore.transaction(is_brief=True) as tx:
                return await restart.release(tx, [assignment.instance], try_number=assignment.try_number)

        await self._queue.ring(await patiently("Reporter", attempt))

    async def _replay(self, reports: Sequence[Report], spool: Spool) -> None:
        if reports:
            log.info("replaying spooled reports", count=len(reports))
            await self._write(reports, spool)

    async def _flush(self, reports: Sequence[Report]) -> Sequence[bool]:
        async with self._spool.keeping(reports):
            return await self._write(reports, self._spool)

    async def _write(self, reports: Sequence[Report], spool: Spool) -> Sequence[bool]:
        try:
            answers = await patiently("Reporter", partial(self._write_once, reports))
        except Exception:
            # One of them is to blame: the others must not share its fate.
            log.exception("reports refused; writing them one by one", count=len(reports))
            answers = [await self._write_alone(report) for report in reports]
        spool.done(reports)
        if any(report.deferral is not None and report.deferral.trigger is not None for report in reports):
            self.deferred.ring()
        await self._queue.ring(sorted({run for run in answers if run is not None}))
        return [run is not None for run in answers]

    async def _write_alone(self, report: Report) -> RunKey | None:
        try:
            return (await patiently("Reporter", partial(self._write_once, [report])))[0]
        except Exception as error:
            log.error("report cannot be stored", task=report.label, error=type(error).__name__)
            failure = _unstorable(report, error)
        try:
            return (await patiently("Reporter", partial(self._write_once, [failure])))[0]
        except Exception:
            log.exception("report lost; its lease must run out", task=report.label)
            return None

    async def _write_once(self, reports: Sequence[Report]) -> list[RunKey | None]:
        async with self._metastore.transaction(is_brief=True) as tx:
            held, now = await read.hold(tx, [report.instance for report in reports])
            known = [report for report in reports if report.instance in held]
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
            await map_names.keep(
                tx,
                {
                    report.instance: report.rendered_map_index
                    for report in known
                    if report.event.token in counted and report.rendered_map_index is not None
                },
            )
            await assets.record(
                tx,
                [
                    assets.Made(instance=report.instance, news=news)
                    for report in known
                    if report.event.token in counted and isinstance(report.event, Succeeded)
                    for news in report.asset_news
                ],
                now,
            )
            await deferrals.store(
                tx,
                [
                    deferrals.Deferred(
                        instance=counted[report.event.token], token=report.event.token, deferral=report.deferral
                    )
                    for report in known
                    if report.event.token in counted and report.deferral is not None
                ],
            )
            runs = {token: instance.run for token, instance in counted.items()}
            refused = [report for report in reports if report.event.token not in counted]
            runs |= await _written_before(tx, refused, held)
        for report in refused:
            if report.event.token not in runs:
                log.warning("report fenced", task=report.label, cause=report.event.cause)
        return [runs.get(report.event.token) for report in reports]


async def _written_before(
    tx: Transaction, reports: Sequence[Report], held: Mapping[InstanceKey, TaskInstance]
) -> dict[ClaimToken, RunKey]:
    """Return the runs of those that the ledger has already: the answer to their commit was lost."""
    if not reports:
        return {}
    causes = await lease.ends(tx, [report.instance for report in reports])
    return {
        report.event.token: held[report.instance].run
        for report in reports
        if causes.get(report.event.token) == report.event.cause
    }


def _unstorable(report: Report, error: Exception) -> Report:
    """Return the report that takes the place of one which the ledger cannot take."""
    event: ReportEvent = Failed(report.event.token, timedelta(0))
    text = storable(f"its report cannot be stored: {first_line(error)}")
    return replace(
        report,
        event=event,
        measured=Measured(error=text[:_MOST_ERROR_CHARACTERS]),
        returned={},
        asset_news=(),
        deferral=None,
        rendered_map_index=None,
    )
