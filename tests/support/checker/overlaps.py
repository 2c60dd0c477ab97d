"""I10: two processes of one task instance are never alive at the same time."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from tests.support.checker.evidence import Evidence, JournalLine, TaskKey
from tests.support.checker.violation import Invariant, Violation


def overlaps(evidence: Evidence) -> Iterator[Violation]:
    """No process writes a line between the first and the last line of another of the same instance."""
    if not evidence.is_strictly_fenced:
        return
    lives: dict[TaskKey, dict[tuple[str, int], list[JournalLine]]] = defaultdict(lambda: defaultdict(list))
    for line in evidence.journal or ():
        lives[line.task][line.token, line.pid].append(line)
    for task, processes in lives.items():
        for (one, ones), (other, others) in combinations(processes.items(), 2):
            ones_end, others_end = (max(line.at_ns for line in lines) for lines in (ones, others))
            ones_begin, others_begin = (min(line.at_ns for line in lines) for lines in (ones, others))
            if max(ones_begin, others_begin) <= min(ones_end, others_end):
                yield Violation(Invariant.I10, str(task), f"{_life(one, ones)} and {_life(other, others)} overlap")


def _life(process: tuple[str, int], lines: list[JournalLine]) -> str:
    token, pid = process
    first, last = min(lines, key=lambda line: line.at_ns), max(lines, key=lambda line: line.at_ns)
    return f"try {first.try_number} (token {token}, process {pid}, lines {first.number} to {last.number})"
