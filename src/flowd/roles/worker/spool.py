"""Spool: reports on disk from the end of a process until the ledger has them, so that a crash forgets none."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from flowd.domain.ids import ClaimToken
from flowd.roles.worker.report import Report, report_from_json, report_to_json

log = structlog.get_logger(__name__)

NOT_SPOOLED = "report not spooled; it is lost if this worker dies now"

SPOOL = "reports.ndjson"
"""The spool's file in the folder of its worker."""


class Spool:
    """An append-only file of reports, one JSON document a line; emptied whenever the ledger has all of them.

    A full disk costs the spool, never the report: that is logged then, and the report goes to the ledger alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: set[ClaimToken] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        # A line that was broken off must not swallow the one behind it.
        self._is_torn = path.read_bytes()[-1:] not in (b"", b"\n")

    def left_behind(self) -> list[Report]:
        """Return the reports that an earlier process wrote and did not clear; lines that cannot be read are left out.

        No line makes this raise: a spool that does would keep its worker from ever starting again.
        """
        reports: list[Report] = []
        for number, line in enumerate(self._path.read_bytes().splitlines(), start=1):
            try:
                reports.append(report_from_json(json.loads(line)))
            except Exception as error:
                log.warning("spooled report unreadable", line=number, error=f"{type(error).__name__}: {error}")
        self._pending |= {report.event.token for report in reports}
        return reports

    @asynccontextmanager
    async def keeping(self, reports: Sequence[Report]) -> AsyncIterator[None]:
        """Write these reports, and bring them to the disk during the body; it ends when the disk has them.

        So the ledger may be told at the same time: whichever has them first, they are never later in a safe place than
        if the disk were waited for. From the beginning of the body they outlive this process.
        """
        self._pending |= {report.event.token for report in reports}
        syncing: asyncio.Future[None] | None = None
        try:
            self._write("".join(_lines(reports)).encode())
            syncing = asyncio.get_running_loop().run_in_executor(None, os.fdatasync, self._file)
        except OSError as error:
            log.error(NOT_SPOOLED, error=str(error))
        try:
            yield
        finally:
            if syncing is not None:
                try:
                    await asyncio.shield(syncing)
                except OSError as error:
                    log.error(NOT_SPOOLED, error=str(error))

    def done(self, reports: Sequence[Report]) -> None:
        """Note that the ledger has these reports, or refuses them for ever."""
        self._pending -= {report.event.token for report in reports}
        if not self._pending:
            os.ftruncate(self._file, 0)
            self._is_torn = False

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, lines: bytes) -> None:
        size = os.fstat(self._file).st_size
        rest = memoryview(b"\n" + lines if self._is_torn else lines)
        self._is_torn = True
        try:
            # A disk that fills up, or a signal, may let only a part through.
            while rest:
                rest = rest[os.write(self._file, rest) :]
            self._is_torn = False
        except OSError:
            os.ftruncate(self._file, size)
            raise


def _lines(reports: Sequence[Report]) -> Iterator[str]:
    for report in reports:
        try:
            yield json.dumps(report_to_json(report)) + "\n"
        except (ValueError, TypeError, RecursionError) as error:
            log.error("report not spooled: it is no JSON", task=report.label, error=str(error))
