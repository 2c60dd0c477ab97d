"""Evidence made by hand: the history of an instance told as a few words, and the lines its process would write."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.support.checker.evidence import Change, Evidence, Instance, JournalLine, Run, RunChange, TaskKey, Word

A_TASK = TaskKey("etl", "run1", "load")
TARGETS: Mapping[str, str] = {
    "scheduled": "scheduled",
    "queued": "queued",
    "claimed": "running",
    "succeeded": "success",
    "skipped itself": "skipped",
    "failed": "failed",
    "retried": "up_for_retry",
    "lost": "up_for_retry",
    "interrupted": "up_for_retry",
    "rescheduled": "up_for_reschedule",
    "deferred": "deferred",
    "triggered": "scheduled",
    "cancelled": "failed",
    "cleared": "none",
    "marked": "success",
    "decided": "skipped",
    "removed": "removed",
    "completed without work": "success",
    "imported": "failed",
}
_CAUSES = {"retried": "failed", "removed": "decided"}
WELL = ("scheduled", "queued", "claimed", "succeeded")
IN_TWO_LEGS = ("scheduled", "queued", "claimed", "rescheduled", *WELL)
ONCE_MORE = ("scheduled", "queued", "claimed", "retried", *WELL)


def token_of(try_number: int, leg: int = 0) -> str:
    """The token under which stories claim this leg of a try."""
    return f"token{try_number}" + (f"leg{leg}" if leg else "")


def a_history(words: Sequence[str], *, begin_us: int = 0, owner: str = "") -> list[Change]:
    """The history that these causes make, one a microsecond; `retried` is a failure with a try left.

    `removed` is the decision that a map index lies beyond the items; what was `imported` had failed at its second try.
    """
    changes: list[Change] = []
    state, number, leg, held = "none", 0, 0, None
    for version, word in enumerate(words, start=1):
        number = 2 if word == "imported" else number + (word == "queued" and not leg)
        target = TARGETS[word]
        held = owner + token_of(number, leg) if word == "claimed" else held
        changes.append(
            Change(
                version=version,
                source=state,
                target=target,
                cause=_CAUSES.get(word, word),
                try_number=number,
                token=held if "running" in (state, target) else None,
                at_us=begin_us + version,
            )
        )
        if state == "running" or word == "cleared":
            leg = leg + 1 if word in ("rescheduled", "deferred") else 0
        state = target
        held = held if state == "running" else None
    return changes


def an_instance(
    *words: str, task: TaskKey = A_TASK, history: Sequence[Change] | None = None, **fields: Any
) -> Instance:
    """An instance whose row is what its history says, unless `fields` say otherwise."""
    changes = a_history(words, owner="" if task == A_TASK else task.task_id) if history is None else history
    last = changes[-1] if changes else None
    row = {
        "state": last.target if last else "none",
        "version": last.version if last else 0,
        "try_number": last.try_number if last else 0,
        "token": last.token if last and last.target == "running" else None,
    }
    return Instance(task=task, history=changes, **{**row, **fields})


def changed(instance: Instance, version: int, **fields: Any) -> Instance:
    """The instance with other values in one row of its history."""
    history = [replace(one, **fields) if one.version == version else one for one in instance.history]
    return replace(instance, history=history)


def lines_of(
    *words: str,
    try_number: int = 1,
    token: str | None = None,
    pid: int = 100,
    begin_ns: int = 10,
    number: int = 1,
    task: TaskKey = A_TASK,
) -> list[JournalLine]:
    """The lines one process writes, ten nanoseconds apart."""
    return [
        JournalLine(
            number=number + place,
            word=Word(word),
            at_ns=begin_ns + 10 * place,
            task=task,
            try_number=try_number,
            token=token or token_of(try_number),
            pid=pid,
        )
        for place, word in enumerate(words)
    ]


def evidence_of_one(instance: Instance, **fields: Any) -> Evidence:
    """Evidence that holds one instance."""
    return Evidence(instances=[instance], **fields)


def a_run_change(version: int, source: str, target: str, cause: str, at_us: int = 5) -> RunChange:
    """One row of the history of a run."""
    return RunChange(version=version, source=source, target=target, cause=cause, at_us=at_us)


def an_ended_run(*, begin_us: int = 1, end_us: int = 100, **fields: Any) -> Run:
    """A run that came to a good end, unless `fields` say otherwise."""
    history = [
        a_run_change(1, "queued", "running", "started", begin_us),
        a_run_change(2, "running", "success", "succeeded", end_us),
    ]
    well = {"dag_id": "etl", "run_id": "run1", "state": "success", "version": 2, "history": history}
    return Run(**{**well, **fields})
