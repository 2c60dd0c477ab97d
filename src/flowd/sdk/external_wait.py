"""When a wait for runs or tasks of another DAG is over, for sensors and triggers alike."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The states of what is waited for, one list for each run that has any.

    `missing` is how many tasks that are waited for are not in their run.
    """

    by_run: Mapping[str, Sequence[str | None]]
    missing: int = 0

    @classmethod
    def of_runs(cls, states: Mapping[str, str]) -> Self:
        """Return the states of runs themselves."""
        return cls(by_run={run: [state] for run, state in states.items()})

    @classmethod
    def of_tasks(cls, instances: Sequence[Mapping[str, Any]], tasks: Collection[str] | None) -> Self:
        """Return the states of instances, of which each run must have these tasks; a mapped one has several."""
        by_run: dict[str, list[str | None]] = {}
        for one in instances:
            by_run.setdefault(one["run_id"], []).append(one["state"])
        there = {(one["run_id"], one["task_id"]) for one in instances}
        missing = sum((run, task) not in there for run in by_run for task in tasks or ())
        return cls(by_run=by_run, missing=missing)

    def describe(self, dates: Sequence[datetime]) -> str:
        """Return in words which dates are looked at and what was found there."""
        found = "; ".join(f"{run}: {', '.join(str(state) for state in states)}" for run, states in self.by_run.items())
        return f"at {', '.join(date.isoformat() for date in dates)} found {found or 'no run'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The states that end a wait."""

    allowed: Collection[str]
    skipped: Collection[str] = ()
    failed: Collection[str] = ()

    def verdict(self, found: Found, runs: int) -> str:
        """Return `success`, `skipped`, `failed`, or `waiting` while fewer than `runs` runs are in an allowed state.

        A failed state beats a skipped one.
        """
        states = [state for one in found.by_run.values() for state in one]
        if any(state in self.failed for state in states):
            return "failed"
        if any(state in self.skipped for state in states):
            return "skipped"
        ready = [one for one in found.by_run.values() if all(state in self.allowed for state in one)]
        return "success" if len(ready) >= runs and not found.missing else "waiting"
