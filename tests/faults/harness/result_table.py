"""A plugin of pytest: the table of what was broken, and of how long it took to recover, at the end of a run."""

import os
from pathlib import Path

import pytest

from tests.faults.harness.result import VARIABLE, Result, table

PROPERTY = "fault result"
"""Under which a test hands in a Result: with its report, which reaches the process that prints."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add a result to the file that was asked for, as soon as it is there: a long campaign may be broken off."""
    # In a worker of pytest-xdist this is called too; the process that prints hears of every report.
    if VARIABLE in os.environ and "PYTEST_XDIST_WORKER" not in os.environ:
        for result in _results_of(report):
            result.append_to(Path(os.environ[VARIABLE]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the results of the scenarios that have passed."""
    reports = [report for some in terminalreporter.stats.values() for report in some]
    results = [one for report in reports if isinstance(report, pytest.TestReport) for one in _results_of(report)]
    if results:
        terminalreporter.section(f"faults, seed {results[0].seed} (FLOWD_FAULT_SEED)")
        terminalreporter.write_line(table(results))


def _results_of(report: pytest.TestReport) -> list[Result]:
    if report.when != "call":
        return []
    return [Result.from_json(str(value)) for name, value in report.user_properties if name == PROPERTY]
