"""I12: what a task has printed can be read."""

from collections.abc import Iterator

from tests.support.checker.evidence import Evidence
from tests.support.checker.journal import journal_line
from tests.support.checker.violation import Invariant, Violation

TRUNCATION_MARK = "log truncated"


def logged_bytes(evidence: Evidence) -> Iterator[Violation]:
    """Every line of the journal, which its task printed before it wrote it there, is in the log of its try.

    Where the disk was still full at the end of a try, the marker stands in the ledger alone.
    """
    if evidence.logs is None:
        return
    truncated = {
        (instance.task, attempt.try_number)
        for instance in evidence.instances
        for attempt in instance.attempts
        if attempt.is_log_truncated
    }
    for line in evidence.journal or ():
        log = evidence.logs.get((line.task, line.try_number), "")
        is_marked = TRUNCATION_MARK in log or (line.task, line.try_number) in truncated
        if journal_line(line) not in log and not is_marked:
            finding = f"the log of try {line.try_number} lacks line {line.number} of the journal: {line.word}"
            yield Violation(Invariant.I12, str(line.task), finding)
