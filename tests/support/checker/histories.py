"""I5: histories without gaps, along the edges of the state graph, that end where the row is."""

from collections.abc import Iterator

from tests.support.checker.evidence import Change, Evidence, Instance, Run
from tests.support.checker.state_graph import BY_A_USER, ENDED, IMPORTED, WAITS_ON, is_edge, is_run_edge
from tests.support.checker.violation import Invariant, Violation


def histories(evidence: Evidence) -> Iterator[Violation]:
    """Every change follows the one before it by an edge that its cause allows, for instances and for runs."""
    for instance in evidence.instances:
        yield from _of_instance(instance)
    for run in evidence.runs:
        yield from _of_run(run)


def _of_instance(instance: Instance) -> Iterator[Violation]:
    version, state, try_number, waits = 0, "none", 0, False
    for change in instance.history:
        if change.version != version + 1:
            yield _violation(str(instance.task), f"version {version} is followed by version {change.version}")
        if change.source != state:
            yield _violation(str(instance.task), f"version {change.version} came from {change.source}; it was {state}")
        yield from _edge(instance, change, try_number, waits)
        if change.source == "running" or change.cause == "cleared":
            waits = change.cause in WAITS_ON and change.target not in ENDED
        version, state, try_number = change.version, change.target, change.try_number
    if (instance.version, instance.state, instance.try_number) != (version, state, try_number):
        row = f"version {instance.version}, {instance.state}, try {instance.try_number}"
        yield _violation(
            str(instance.task), f"its row says {row}; its history version {version}, {state}, try {try_number}"
        )


def _edge(instance: Instance, change: Change, before: int, waits: bool) -> Iterator[Violation]:
    step = f"version {change.version}: {change.source} -> {change.target} by {change.cause!r}"
    if not is_edge(change.source, change.cause, change.target):
        yield _violation(str(instance.task), f"{step} is no edge of the state graph")
    elif change.source in ENDED and change.source != change.target and change.cause not in BY_A_USER:
        yield _violation(str(instance.task), f"{step} leaves an end, and no user asked for it")
    if change.cause == IMPORTED:
        if change.version != 1:
            yield _violation(str(instance.task), f"{step} is history of another system behind history of this one")
    elif change.try_number != before + (change.cause == "queued" and not waits):
        yield _violation(str(instance.task), f"{step} makes try {change.try_number} of try {before}")


def _of_run(run: Run) -> Iterator[Violation]:
    subject = f"{run.dag_id} {run.run_id}"
    version, state = 0, "queued"
    for change in run.history:
        if (change.version, change.source) != (version + 1, state):
            found = f"version {change.version} from {change.source}"
            yield _violation(subject, f"version {version}, {state}, is followed by {found}")
        if not is_run_edge(change.source, change.cause, change.target):
            step = f"{change.source} -> {change.target} by {change.cause!r}"
            yield _violation(subject, f"version {change.version}: {step} is no edge of the state graph")
        version, state = change.version, change.target
    if (run.version, run.state) != (version, state):
        yield _violation(subject, f"its row says version {run.version}, {run.state}; its history {version}, {state}")


def _violation(subject: str, finding: str) -> Violation:
    return Violation(Invariant.I5, subject, finding)
