"""Spool: reports on disk from the end of a process until the ledger has them, so that a crash forgets none."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

import structlog

from flowd.domain.ids import ClaimToken
from flowd.roles.worker.report import Report, report_from_json, report_to_json

log = structlog.get_logger(__name__)


class Spool:
    """An append-only file of reports, one JSON document a line; emptied whenever the ledger has all of them.

    A full disk costs the spool, never the report: `append` then logs and the report goes to the ledger alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: set[ClaimToken] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def left_behind(self) -> list[Report]:
        """Return the reports that an earlier process wrote and did not clear; a torn last line is left out."""
        reports: list[Report] = []
        for number, line in enumerate(self._path.read_bytes().splitlines(), start=1):
            try:
                reports.append(report_from_json(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                log.warning("spooled report unreadable", line=number, error=str(error))
        self._pending |= {report.event.token for report in reports}
        return reports

    async def append(self, reports: Sequence[Report]) -> None:
        """Write these reports and return when the disk has them."""
        lines = "".join(json.dumps(report_to_json(report)) + "\n" for report in reports).encode()
        self._pending |= {report.event.token for report in reports}
        try:
            await asyncio.to_thread(self._write, lines)
        except OSError as error:
            log.error("report not spooled; it is lost if this worker dies now", error=str(error))

    def done(self, reports: Sequence[Report]) -> None:
        """Note that the ledger has these reports, or refuses them for ever."""
        self._pending -= {report.event.token for report in reports}
        if not self._pending:
            os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, lines: bytes) -> None:
        os.write(self._file, lines)
        os.fdatasync(self._file)
