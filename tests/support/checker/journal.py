"""The tasks' journal and the client's, as text: one line an event, each written by one write with O_APPEND.

    begin|tick|end <monotonic_ns> <dag_id> <run_id> <task_id> <map_index> <try> <token> <pid>
    ok|fail|unknown <monotonic_ns> <idempotency_key> <dag_id> <run_id>

A client that was given no run writes `-` for it. No name may hold a blank.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.support.checker.evidence import JournalLine, Outcome, Request, TaskKey, Word


class UnreadableJournal(ValueError):
    """A line is not what its writers write: the evidence itself is broken."""

    def __init__(self, line: int, text: str, wanted: str) -> None:
        super().__init__(f"line {line} is {text!r}, wanted: {wanted}")


def parse_journal(text: str) -> list[JournalLine]:
    """Return the lines of the tasks' journal; raise UnreadableJournal for anything else in it."""
    form = "begin|tick|end <monotonic_ns> <dag_id> <run_id> <task_id> <map_index> <try> <token> <pid>"
    lines: list[JournalLine] = []
    for number, line, fields in _lines(text):
        try:
            word, at, dag_id, run_id, task_id, map_index, try_number, token, pid = fields
            lines.append(
                JournalLine(
                    number=number,
                    word=Word(word),
                    at_ns=int(at),
                    task=TaskKey(dag_id, run_id, task_id, int(map_index)),
                    try_number=int(try_number),
                    token=token,
                    pid=int(pid),
                )
            )
        except ValueError:
            raise UnreadableJournal(number, line, form) from None
    return lines


def journal_line(line: JournalLine) -> str:
    """Return the text of a line, without its newline: what a task both prints and writes in its journal."""
    task = line.task
    names = f"{task.dag_id} {task.run_id} {task.task_id} {task.map_index}"
    return f"{line.word} {line.at_ns} {names} {line.try_number} {line.token} {line.pid}"


def parse_requests(text: str) -> list[Request]:
    """Return the lines of the client's journal; raise UnreadableJournal for anything else in it."""
    form = "ok|fail|unknown <monotonic_ns> <idempotency_key> <dag_id> <run_id>"
    requests: list[Request] = []
    for number, line, fields in _lines(text):
        try:
            outcome, at, key, dag_id, run_id = fields
            requests.append(
                Request(
                    number=number,
                    outcome=Outcome(outcome),
                    at_ns=int(at),
                    idempotency_key=key,
                    dag_id=dag_id,
                    run_id=None if run_id == "-" else run_id,
                )
            )
        except ValueError:
            raise UnreadableJournal(number, line, form) from None
    return requests


def read_text(path: Path) -> str:
    """Return what a journal holds; one that nobody has written to yet is empty."""
    return path.read_text() if path.exists() else ""


def _lines(text: str) -> Iterator[tuple[int, str, list[str]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        yield number, line, line.split()
