"""I2: one token at a time holds a task instance."""

from collections.abc import Iterator
from itertools import pairwise

from tests.support.checker.evidence import Evidence, Instance
from tests.support.checker.violation import Invariant, Violation


def single_holder(evidence: Evidence) -> Iterator[Violation]:
    """No claim meets a holder, the row is held as its history says, and the records of tries do not overlap."""
    for instance in evidence.instances:
        yield from _claims(instance)
        yield from _attempts(instance)


def _claims(instance: Instance) -> Iterator[Violation]:
    holder: str | None = None
    for change in instance.history:
        if change.cause == "claimed":
            if holder is not None:
                yield _violation(instance, f"version {change.version} gives it to {change.token}; {holder} holds it")
            holder = change.token
        elif change.target != "running":
            holder = None
        elif change.token != holder:
            yield _violation(instance, f"version {change.version} is running under {change.token}, not {holder}")
    if (instance.state == "running") != (holder is not None) or instance.token != holder:
        found = f"its row is {instance.state} under {instance.token}"
        yield _violation(instance, f"{found}; by its history {holder or 'nobody'} holds it")


def _attempts(instance: Instance) -> Iterator[Violation]:
    begun = [one for one in instance.attempts if one.started_us is not None]
    for first, second in pairwise(sorted(begun, key=lambda one: (one.started_us or 0, one.ended_us))):
        if second.started_us is not None and second.started_us < first.ended_us:
            tries = f"tries {first.try_number} and {second.try_number}"
            yield _violation(instance, f"{tries} are recorded as running at once ({first.token}, {second.token})")


def _violation(instance: Instance, finding: str) -> Violation:
    return Violation(Invariant.I2, str(instance.task), finding)
