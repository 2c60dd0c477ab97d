"""When the states of its upstream tasks let a task run. The rules are Airflow 3's.

Three decisions are ours, each where Airflow would leave a task waiting for ever or let timing decide:

* a removed upstream never runs, so it counts as absent for every task (in Airflow only for mapped ones);
* `none_failed_min_one_success` with neither a failure nor a success skips the task, removed upstreams or not;
* a mapped instance whose counterpart was removed is removed once all its upstreams are done, not before.

Airflow's constraint of indirect setups is `all_success` over those setups: evaluate it first, and this task's own rule
where it is ready.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from flowd.domain.errors import InvalidDag

NOT_MAPPED = -1


class TriggerRule(StrEnum):
    """What a task asks of its direct upstream tasks."""

    ALL_SUCCESS = "all_success"
    ALL_FAILED = "all_failed"
    ALL_DONE = "all_done"
    ALL_DONE_MIN_ONE_SUCCESS = "all_done_min_one_success"
    ALL_DONE_SETUP_SUCCESS = "all_done_setup_success"
    ONE_SUCCESS = "one_success"
    ONE_FAILED = "one_failed"
    ONE_DONE = "one_done"
    NONE_FAILED = "none_failed"
    NONE_FAILED_MIN_ONE_SUCCESS = "none_failed_min_one_success"
    NONE_SKIPPED = "none_skipped"
    ALL_SKIPPED = "all_skipped"
    ALWAYS = "always"


class Verdict(StrEnum):
    """What becomes of a task by its trigger rule; all but the first two are the state it ends in."""

    READY = "ready"
    WAIT = "wait"
    SKIPPED = "skipped"
    UPSTREAM_FAILED = "upstream_failed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCounts:
    """How many of a task's `total` upstream task instances have ended, by state; setups are counted in both groups.

    Raises ValueError where more have ended than there are.
    """

    total: int
    success: int = 0
    failed: int = 0
    skipped: int = 0
    upstream_failed: int = 0
    removed: int = 0
    setup_total: int = 0
    setup_success: int = 0
    setup_skipped: int = 0

    def __post_init__(self) -> None:
        if self.done > self.total:
            raise ValueError(f"{self.done} of {self.total} upstream tasks have ended, wanted at most {self.total}")

    @property
    def done(self) -> int:
        """How many have ended."""
        return self.success + self.failed + self.skipped + self.upstream_failed + self.removed

    @property
    def pending(self) -> int:
        """How many have not ended."""
        return self.total - self.done

    @property
    def failures(self) -> int:
        """How many failed, or never ran because something before them failed."""
        return self.failed + self.upstream_failed


_ALIASES = {
    "dummy": TriggerRule.ALWAYS,
    "none_failed_or_skipped": TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
}


def parse_trigger_rule(text: str) -> TriggerRule:
    """Return the rule called `text`, by its present or a former name; raise InvalidDag for no such rule."""
    if text in _ALIASES:
        return _ALIASES[text]
    try:
        return TriggerRule(text)
    except ValueError:
        rules = ", ".join(TriggerRule)
        raise InvalidDag(f"trigger_rule {text!r}: no such rule; use one of {rules}") from None


def evaluate(rule: TriggerRule, counts: UpstreamCounts, *, map_index: int = NOT_MAPPED) -> Verdict:
    """Return what `rule` makes of a task whose upstream tasks stand at `counts`.

    A decision may come before all are done. It never turns back to `wait`, and it stays what it is as more upstream
    tasks end, with one exception that Airflow has too: `all_success` skips a task at its first skipped upstream, and
    would have said `upstream_failed` had a failure come first. Once all are done no rule waits.
    """
    if counts.total == 0:
        return Verdict.READY
    return _RULES[rule](counts, map_index)


def why(rule: TriggerRule, counts: UpstreamCounts, *, map_index: int = NOT_MAPPED) -> str:
    """Say in English why the task is not running, or that its rule is met."""
    match evaluate(rule, counts, map_index=map_index):
        case Verdict.WAIT:
            are = "is" if counts.pending == 1 else "are"
            return f"trigger rule {rule}: {counts.pending} of {counts.total} upstream tasks {are} not done"
        case Verdict.READY:
            return f"trigger rule {rule}: met ({_tally(counts)})"
        case verdict:
            return f"trigger rule {rule}: the task becomes {verdict} ({_tally(counts)})"


def _tally(counts: UpstreamCounts) -> str:
    states = {
        "succeeded": counts.success,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "upstream_failed": counts.upstream_failed,
        "removed": counts.removed,
        "not done": counts.pending,
    }
    found = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    return f"of {counts.total} upstream tasks: {found}" if found else "no upstream tasks"


def _all_success(counts: UpstreamCounts, map_index: int) -> Verdict:
    if counts.failures:
        return Verdict.UPSTREAM_FAILED
    if counts.skipped:
        return Verdict.SKIPPED
    if counts.pending:
        return Verdict.WAIT
    if counts.removed and counts.success and map_index >= counts.success:
        return Verdict.REMOVED
    return Verdict.READY


def _all_failed(counts: UpstreamCounts, map_index: int) -> Verdict:
    if counts.success or counts.skipped:
        return Verdict.SKIPPED
    return _when_done(counts, Verdict.READY)


def _all_done(counts: UpstreamCounts, map_index: int) -> Verdict:
    return _when_done(counts, Verdict.READY)


def _all_done_min_one_success(counts: UpstreamCounts, map_index: int) -> Verdict:
    if counts.skipped:
        return Verdict.SKIPPED
    return _when_done(counts, Verdict.READY if counts.success else Verdict.UPSTREAM_FAILED)


def _all_done_setup_success(counts: UpstreamCounts, map_index: int) -> Verdict:
    if counts.pending or not counts.setup_total:
        return _when_done(counts, Verdict.READY)
    if counts.setup_skipped >= counts.setup_total:
        return Verdict.SKIPPED
    return Verdict.READY if counts.setup_success else Verdict.UPSTREAM_FAILED


def _one_success(counts: UpstreamCounts, map_index: int) -> Verdict:
    if counts.success:
        return Verdict.READY
    return _when_done(counts, Verdict.SKIPPED if counts.skipped == counts.total else Verdict.UPSTREAM_FAILED)


def _one_failed(counts: UpstreamCounts, map_index: int) -> Verdict:
    return Verdict.READY if counts.failures else _when_done(counts, Verdict.SKIPPED)


def _one_done(counts: UpstreamCounts, map_index: int) -> Verdict:
    return Verdict.READY if counts.success or counts.failed else _when_done(counts, Verdict.SKIPPED)


def _none_failed(counts: UpstreamCounts, map_index: int) -> Verdict:
    return Verdict.UPSTREAM_FAILED if counts.failures else _when_done(counts, Verdict.READY)


def _none_failed_min_one_success(counts: UpstreamCounts, map_index: int) -> Verdict:
    if counts.failures:
        return Verdict.UPSTREAM_FAILED
    return _when_done(counts, Verdict.READY if counts.success else Verdict.SKIPPED)


def _none_skipped(counts: UpstreamCounts, map_index: int) -> Verdict:
    return Verdict.SKIPPED if counts.skipped else _when_done(counts, Verdict.READY)


def _all_skipped(counts: UpstreamCounts, map_index: int) -> Verdict:
    return Verdict.SKIPPED if counts.success or counts.failures else _when_done(counts, Verdict.READY)


def _always(counts: UpstreamCounts, map_index: int) -> Verdict:
    return Verdict.READY


def _when_done(counts: UpstreamCounts, verdict: Verdict) -> Verdict:
    return Verdict.WAIT if counts.pending else verdict


_RULES: dict[TriggerRule, Callable[[UpstreamCounts, int], Verdict]] = {
    TriggerRule.ALL_SUCCESS: _all_success,
    TriggerRule.ALL_FAILED: _all_failed,
    TriggerRule.ALL_DONE: _all_done,
    TriggerRule.ALL_DONE_MIN_ONE_SUCCESS: _all_done_min_one_success,
    TriggerRule.ALL_DONE_SETUP_SUCCESS: _all_done_setup_success,
    TriggerRule.ONE_SUCCESS: _one_success,
    TriggerRule.ONE_FAILED: _one_failed,
    TriggerRule.ONE_DONE: _one_done,
    TriggerRule.NONE_FAILED: _none_failed,
    TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS: _none_failed_min_one_success,
    TriggerRule.NONE_SKIPPED: _none_skipped,
    TriggerRule.ALL_SKIPPED: _all_skipped,
    TriggerRule.ALWAYS: _always,
}
