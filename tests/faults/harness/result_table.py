"""A plugin of pytest: the table of what was broken, and of how long it took to recover, at the end of a run."""

import os
from pathlib import Path

import pytest

from tests.faults.harness.result import VARIABLE, Result, table

PROPERTY = "fault result"
"""Under which a test hands in a Result: with its report, which reaches the process that prints."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the results of the scenarios that have passed, and add them to the file that was asked for."""
    results = [
        Result.from_json(str(value))
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if not results:
        return
    terminalreporter.section(f"faults, seed {results[0].seed} (FLOWD_FAULT_SEED)")
    terminalreporter.write_line(table(results))
    if VARIABLE in os.environ:
        for result in results:
            result.append_to(Path(os.environ[VARIABLE]))
