"""I8: nobody runs a task again for no reason."""

from collections.abc import Iterator

from tests.support.checker.evidence import Evidence
from tests.support.checker.state_graph import ENDED, IMPORTED, WAITS_ON
from tests.support.checker.violation import Invariant, Violation

LEADS_TO_A_TRY = frozenset({"failed", "interrupted", "lost", "cleared"})
"""What may be the reason for a further try: how the one before it ended, or that a user asked for it."""


def causes(evidence: Evidence) -> Iterator[Violation]:
    """Between every try and the one before it the history has a reason, and no try number is left out.

    A try that waited, and of which nothing else became, goes on under its own number.
    """
    for instance in evidence.instances:
        reasons: list[str] = []
        last = 0
        for change in instance.history:
            if change.cause == IMPORTED:
                last = change.try_number
            if change.cause != "queued":
                is_reason = change.cause in LEADS_TO_A_TRY or (change.cause in WAITS_ON and change.target not in ENDED)
                reasons += [change.cause] if is_reason else []
                continue
            if change.try_number > 1 and not reasons:
                finding = f"version {change.version} begins try {change.try_number}, and nothing led to it"
                yield Violation(Invariant.I8, str(instance.task), finding)
            if change.try_number != last + (not reasons or reasons[-1] not in WAITS_ON):
                finding = f"version {change.version} begins try {change.try_number} after try {last}"
                yield Violation(Invariant.I8, str(instance.task), finding)
            last, reasons = change.try_number, []
