"""I3: each leg of a try is given away once, and what is given away starts one process."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.support.checker.evidence import Evidence, Instance, JournalLine, TaskKey, Word
from tests.support.checker.state_graph import WAITS_ON
from tests.support.checker.violation import Invariant, Violation


def one_process_a_token(evidence: Evidence) -> Iterator[Violation]:
    """No leg of a try has two tokens and no token two tries, in the ledger and in the journal; no token begins twice.

    A process does not write its leg. It is that of the claim of its token, and the first where there is none: then its
    token stands beside the one that the first leg was claimed under.
    """
    claims = [use for instance in evidence.instances for use in _claims(instance)]
    yield from _tokens(claims, "was claimed")
    legs = {(task, try_number, token): leg for task, try_number, leg, token, _ in claims}
    lines = evidence.journal or ()
    ran = [
        (line.task, line.try_number, legs.get((line.task, line.try_number, line.token), 0), line.token, where)
        for line in lines
        for where in [f"line {line.number}"]
    ]
    yield from _tokens(ran, "ran")
    yield from _processes(lines)


_Use = tuple[TaskKey, int, int, str, str]
"""Task, try, leg, token, and where that is written."""


def _claims(instance: Instance) -> Iterator[_Use]:
    leg = 0
    for change in instance.history:
        if change.cause == "claimed":
            yield instance.task, change.try_number, leg, change.token or "", f"version {change.version}"
        elif change.source == "running" or change.cause == "cleared":
            leg = leg + 1 if change.cause in WAITS_ON else 0


def _tokens(uses: list[_Use], verb: str) -> Iterator[Violation]:
    tokens_of_leg: dict[tuple[TaskKey, int, int], dict[str, str]] = defaultdict(dict)
    tries_of_token: dict[str, dict[tuple[TaskKey, int], str]] = defaultdict(dict)
    for task, try_number, leg, token, where in uses:
        tokens_of_leg[task, try_number, leg].setdefault(token, where)
        tries_of_token[token].setdefault((task, try_number), where)
    for (task, try_number, _), tokens in tokens_of_leg.items():
        if len(tokens) > 1:
            found = ", ".join(f"{token} ({where})" for token, where in tokens.items())
            yield Violation(Invariant.I3, str(task), f"try {try_number} {verb} under {len(tokens)} tokens: {found}")
    for token, tries in tries_of_token.items():
        if len(tries) > 1:
            found = ", ".join(f"{task} try {number} ({where})" for (task, number), where in tries.items())
            yield Violation(Invariant.I3, f"token {token}", f"{len(tries)} tries {verb} under it: {found}")


def _processes(lines: Iterable[JournalLine]) -> Iterator[Violation]:
    begins: dict[str, list[JournalLine]] = defaultdict(list)
    pids: dict[str, set[int]] = defaultdict(set)
    for line in lines:
        pids[line.token].add(line.pid)
        if line.word is Word.BEGIN:
            begins[line.token].append(line)
    for token, found in begins.items():
        if len(found) > 1:
            numbers = ", ".join(str(line.number) for line in found)
            yield Violation(
                Invariant.I3, str(found[0].task), f"token {token} began {len(found)} times: lines {numbers}"
            )
    for token, processes in pids.items():
        if len(processes) > 1:
            yield Violation(Invariant.I3, f"token {token}", f"it ran in the processes {sorted(processes)}")
