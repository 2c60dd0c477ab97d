"""I4: only the current token of the current try is heard."""

from collections import defaultdict
from collections.abc import Iterator

from tests.support.checker.evidence import Change, Evidence, Instance, Word
from tests.support.checker.state_graph import IMPORTED, REPORTED
from tests.support.checker.violation import Invariant, Violation


def fenced_writes(evidence: Evidence) -> Iterator[Violation]:
    """Every end of a try is spoken for by the token that had claimed it, in the history and in the tries' records.

    A try that succeeded, and whose process keeps a journal, has written its own last line there.
    """
    words: dict[str, set[Word]] = defaultdict(set)
    for line in evidence.journal or ():
        words[line.token].add(line.word)
    for instance in evidence.instances:
        yield from _ends(instance)
        yield from _records(instance)
        for change in instance.history:
            if change.cause == "succeeded" and words[change.token or ""] and Word.END not in words[change.token or ""]:
                finding = f"version {change.version} says {change.token} succeeded; its process never came to its end"
                yield _violation(instance, finding)


def _ends(instance: Instance) -> Iterator[Violation]:
    claim: Change | None = None
    for change in instance.history:
        if change.cause == "claimed":
            claim = change
        elif change.cause in REPORTED:
            if claim is None:
                yield _violation(instance, f"version {change.version} ended by {change.cause} what was not claimed")
            elif (change.try_number, change.token) != (claim.try_number, claim.token):
                spoken = f"try {change.try_number} under {change.token}"
                held = f"try {claim.try_number} under {claim.token}"
                yield _violation(instance, f"version {change.version} let {spoken} end it ({change.cause}); {held} ran")
            claim = None
        elif change.target != "running":
            claim = None


def _records(instance: Instance) -> Iterator[Violation]:
    claims = {(change.try_number, change.token) for change in instance.history if change.cause == "claimed"}
    # No worker of this system claimed what ran in another: it is recorded under no token.
    claims |= {(change.try_number, "") for change in instance.history if change.cause == IMPORTED}
    for one in instance.attempts:
        if (one.try_number, one.token) not in claims:
            yield _violation(instance, f"try {one.try_number} is recorded under {one.token}, which never claimed it")


def _violation(instance: Instance, finding: str) -> Violation:
    return Violation(Invariant.I4, str(instance.task), finding)
