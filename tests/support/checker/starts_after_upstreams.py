"""I6: a task starts after what its trigger rule asks of its upstreams is in the ledger."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.support.checker.evidence import Change, Evidence, Instance, JournalLine, Task, Word
from tests.support.checker.mapped_instances import MappedInstances
from tests.support.checker.state_graph import ENDED
from tests.support.checker.violation import Invariant, Violation

STARTS = frozenset({"scheduled", "completed without work"})

Ends = Counter[str]
"""How many upstreams have ended, by state; those that have not are under `open`."""


def _failures(ends: Ends) -> int:
    return ends["failed"] + ends["upstream_failed"]


_RULES: Mapping[str, Callable[[Ends], bool]] = {
    "all_success": lambda ends: not (ends["open"] or _failures(ends) or ends["skipped"]),
    "all_failed": lambda ends: not (ends["open"] or ends["success"] or ends["skipped"]),
    "all_done": lambda ends: not ends["open"],
    "all_done_setup_success": lambda ends: not ends["open"],
    "all_done_min_one_success": lambda ends: not (ends["open"] or ends["skipped"]) and ends["success"] > 0,
    "one_success": lambda ends: ends["success"] > 0,
    "one_failed": lambda ends: _failures(ends) > 0,
    "one_done": lambda ends: ends["success"] + ends["failed"] > 0,
    "none_failed": lambda ends: not (ends["open"] or _failures(ends)),
    "none_failed_min_one_success": lambda ends: not (ends["open"] or _failures(ends)) and ends["success"] > 0,
    "none_skipped": lambda ends: not (ends["open"] or ends["skipped"]),
    "all_skipped": lambda ends: not (ends["open"] or ends["success"] or _failures(ends)),
    "always": lambda ends: True,
}


def is_satisfied(rule: str, ends: Ends) -> bool:
    """Return whether a task of this rule may start when its upstreams stand so; without upstreams it always may."""
    return not ends or _RULES[rule](ends)


def starts_after_upstreams(evidence: Evidence) -> Iterator[Violation]:
    """Whenever a task was scheduled for the first time, its upstreams stood as its rule asks, by the ledger's moments.

    By the journal, a task whose rule is all_success begins after the last line of every upstream whose success it was
    told of.
    """
    if not evidence.is_clock_steady:
        return
    instances = MappedInstances(evidence)
    dags = {(run.dag_id, run.run_id): run.dag for run in evidence.runs}
    spoken = _Spoken(evidence.journal or ())
    for instance in evidence.instances:
        key = instance.task
        dag = dags.get((key.dag_id, key.run_id))
        task = dag.tasks.get(key.task_id) if dag else None
        if task is None:
            continue
        for change in instance.history:
            if change.source == "none" and change.cause in STARTS:
                upstreams = [one for name in task.upstream for one in instances.upstreams(key, name, change.at_us)]
                yield from _start(instance, change, task, upstreams)
                if task.trigger_rule == "all_success":
                    yield from spoken.too_early(instance, change, upstreams)


def _start(instance: Instance, change: Change, task: Task, upstreams: Sequence[Instance | None]) -> Iterator[Violation]:
    stood = Counter(_state_at(upstream, change.at_us) for upstream in upstreams)
    if not is_satisfied(task.trigger_rule, stood):
        found = ", ".join(f"{count} {state}" for state, count in stood.items())
        finding = f"version {change.version} starts it by {task.trigger_rule} over {found}"
        yield Violation(Invariant.I6, str(instance.task), finding)


def _state_at(upstream: Instance | None, at_us: int) -> str:
    if upstream is None:
        return "open"
    last = next((change for change in reversed(upstream.history) if change.at_us <= at_us), None)
    return last.target if last is not None and last.target in ENDED else "open"


class _Spoken:
    """When each token's process began and ended, by its own words."""

    def __init__(self, journal: Sequence[JournalLine]) -> None:
        self._begins = {line.token: line for line in journal if line.word is Word.BEGIN}
        self._ends = {line.token: line for line in journal if line.word is Word.END}

    def too_early(self, instance: Instance, start: Change, upstreams: Sequence[Instance | None]) -> Iterator[Violation]:
        claims = [one for one in instance.history if one.version > start.version and one.cause == "claimed"]
        begin = self._begins.get(claims[0].token or "") if claims else None
        for upstream in upstreams:
            success = upstream and next((one for one in reversed(upstream.history) if one.at_us <= start.at_us), None)
            if begin is None or not success or success.cause != "succeeded":
                continue
            end = self._ends.get(success.token or "")
            if end is not None and end.at_ns > begin.at_ns and upstream is not None:
                finding = f"it began (line {begin.number}) before {upstream.task} came to its end (line {end.number})"
                yield Violation(Invariant.I6, str(instance.task), finding)
