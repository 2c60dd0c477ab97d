"""Reports of tries, and reporters that run for the length of a context."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from flowd.domain.ids import InstanceKey
from flowd.domain.task_events import ReportEvent, Succeeded
from flowd.queue.base import Claimed, Queue
from flowd.roles.worker.report import Report
from flowd.roles.worker.reporter import Reporter
from flowd.roles.worker.spool import SPOOL, Spool
from tests.support.ledger_site import LedgerSite, token_of


def report_on(claimed: Claimed, event: ReportEvent | None = None, **fields: Any) -> Report:
    """A report on what was claimed: a success, unless told otherwise."""
    assignment = claimed.assignment
    return Report(
        instance=assignment.instance, label=assignment.label, event=event or Succeeded(claimed.token), **fields
    )


def a_report(number: int, event: ReportEvent | None = None, **fields: Any) -> Report:
    """A report on the instance and under the token of this number."""
    return Report(
        instance=InstanceKey(number), label=f"task {number}", event=event or Succeeded(token_of(number)), **fields
    )


@asynccontextmanager
async def reporting(site: LedgerSite, folder: Path, queue: Queue | None = None) -> AsyncIterator[Reporter]:
    """A reporter at work, with its spool in this folder."""
    spool = Spool(folder / SPOOL)
    reporter = Reporter(site.metastore, queue or site.queue, spool)
    task = asyncio.ensure_future(reporter.run())
    try:
        yield reporter
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        spool.close()


async def keep(spool: Spool, reports: Sequence[Report]) -> None:
    """Leave these reports in the spool."""
    async with spool.keeping(reports):
        pass
