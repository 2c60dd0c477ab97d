"""I11: whatever ran had been queued, and was claimed from there under the token it ran with."""

from collections.abc import Iterator

from tests.support.checker.evidence import Evidence
from tests.support.checker.violation import Invariant, Violation


def starts_after_claim(evidence: Evidence) -> Iterator[Violation]:
    """Every process in the journal ran a try under a token that the ledger has as claimed from queued."""
    claims = {
        (instance.task, change.try_number, change.token)
        for instance in evidence.instances
        for change in instance.history
        if change.cause == "claimed" and change.source == "queued"
    }
    seen = set()
    for line in evidence.journal or ():
        run = (line.task, line.try_number, line.token)
        if run not in claims and run not in seen:
            seen.add(run)
            finding = f"line {line.number}: try {line.try_number} ran under {line.token}; the ledger has no such claim"
            yield Violation(Invariant.I11, str(line.task), finding)
