"""I1: what a client was told of its triggers is what the ledger has."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.support.checker.evidence import Evidence, Outcome, Request, Run
from tests.support.checker.violation import Invariant, Violation

WISH = "flowd:task:"
"""How the keys begin under which tasks trigger runs; each wish of a task has one key, whichever try utters it."""


def answered_triggers(evidence: Evidence) -> Iterator[Violation]:
    """Every OK has its one run, a key never has two, and no run has a key that nobody sent or that was refused.

    What a task triggers is in no client's journal; a wish of a task has at most one run.
    """
    if evidence.requests is None:
        return
    runs_by_key: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in evidence.runs:
        if run.idempotency_key is not None:
            runs_by_key[run.dag_id, run.idempotency_key].append(run)
    requests_by_key: dict[tuple[str, str], list[Request]] = defaultdict(list)
    for request in evidence.requests:
        requests_by_key[request.dag_id, request.idempotency_key].append(request)
    for name, requests in requests_by_key.items():
        yield from _of_key(name, requests, runs_by_key.get(name, []))
    for name, runs in runs_by_key.items():
        if name[1].startswith(WISH):
            if len(runs) > 1:
                yield _violation(name, f"one wish of a task has {len(runs)} runs: {_names(runs)}")
        elif name not in requests_by_key:
            yield _violation(name, f"the ledger has {_names(runs)}, and no client sent this key")


def _of_key(name: tuple[str, str], requests: Iterable[Request], runs: list[Run]) -> Iterator[Violation]:
    answers = {request.run_id: request.number for request in requests if request.outcome is Outcome.OK}
    if len(runs) > 1:
        yield _violation(name, f"the ledger has {len(runs)} runs of this key: {_names(runs)}")
    if len(answers) > 1:
        told = ", ".join(f"{run_id} (line {line})" for run_id, line in answers.items())
        yield _violation(name, f"clients were told of {len(answers)} runs: {told}")
    for run_id, line in answers.items():
        if run_id not in {run.run_id for run in runs}:
            yield _violation(name, f"line {line} was answered with run {run_id}; the ledger has {_names(runs)}")
    if runs and not any(request.outcome is not Outcome.FAIL for request in requests):
        yield _violation(name, f"every request was refused, and the ledger has {_names(runs)}")


def _names(runs: Iterable[Run]) -> str:
    return ", ".join(run.run_id for run in runs) or "none"


def _violation(name: tuple[str, str], finding: str) -> Violation:
    dag_id, key = name
    return Violation(Invariant.I1, f"{dag_id} key {key}", finding)
