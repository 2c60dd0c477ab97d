"""I9: nothing is left lying about when the time for it is up."""

from collections.abc import Iterator

from tests.support.checker.evidence import Evidence
from tests.support.checker.state_graph import ENDED, RUN_ENDED
from tests.support.checker.violation import Invariant, Violation


def endings(evidence: Evidence) -> Iterator[Violation]:
    """Every run has ended, with every instance of it, and counts nothing as unfinished."""
    if not evidence.is_time_up:
        return
    ended = set()
    for run in evidence.runs:
        if run.state not in RUN_ENDED:
            yield Violation(Invariant.I9, f"{run.dag_id} {run.run_id}", f"it is still {run.state}")
            continue
        ended.add((run.dag_id, run.run_id))
        if run.unfinished:
            yield Violation(
                Invariant.I9, f"{run.dag_id} {run.run_id}", f"it has ended and counts {run.unfinished} as unfinished"
            )
    for instance in evidence.instances:
        if instance.state not in ENDED:
            whose = "its run has ended" if (instance.task.dag_id, instance.task.run_id) in ended else "its run goes on"
            yield Violation(
                Invariant.I9, str(instance.task), f"it is still {instance.state}, try {instance.try_number}; {whose}"
            )
