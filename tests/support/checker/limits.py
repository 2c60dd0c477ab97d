"""I7: pools and limits, replayed from the histories."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.support.checker.evidence import Evidence, Instance, Run, Task
from tests.support.checker.state_graph import HOLDING
from tests.support.checker.violation import Invariant, Violation


@dataclass(frozen=True, slots=True)
class _Move:
    """Something takes (or gives back) `weight` of what is counted under `group`, of which there is `most`."""

    at_us: int
    group: str
    weight: int
    most: int
    told: str


def limits(evidence: Evidence) -> Iterator[Violation]:
    """At no moment is more held than the pool, the DAG, the run or the task allows. A negative pool has no limit."""
    if not evidence.is_clock_steady:
        return
    reported: set[str] = set()
    for move, held in _replayed(_moves_of(evidence)):
        if move.weight > 0 and held > move.most and move.group not in reported:
            reported.add(move.group)
            yield Violation(Invariant.I7, move.group, f"{move.told} makes {held} held of {move.most}")


def most_held(evidence: Evidence) -> Mapping[str, int]:
    """Return for each limit, under the name a violation gives it, the most that was ever held of it."""
    most: Counter[str] = Counter()
    for move, held in _replayed(_moves_of(evidence)):
        most[move.group] = max(most[move.group], held)
    return most


def _replayed(moves: Iterable[_Move]) -> Iterator[tuple[_Move, int]]:
    held: Counter[str] = Counter()
    # At one and the same moment what is given back goes first: it was there to be taken.
    for move in sorted(moves, key=lambda one: (one.at_us, one.weight)):
        held[move.group] += move.weight
        yield move, held[move.group]


def _moves_of(evidence: Evidence) -> Iterator[_Move]:
    yield from _pool_moves(evidence)
    yield from _task_moves(evidence)
    # The moment of a run's start is read before others' ends are: see `commit_skew_us`.
    yield from _run_moves(evidence.runs, evidence.commit_skew_us)


def _pool_moves(evidence: Evidence) -> Iterator[_Move]:
    pools = evidence.pools or {}
    for instance in evidence.instances:
        most = pools.get(instance.pool, -1)
        if most >= 0:
            yield from _moves(instance, f"pool {instance.pool}", instance.pool_slots, most)


def _task_moves(evidence: Evidence) -> Iterator[_Move]:
    runs = {(run.dag_id, run.run_id): run for run in evidence.runs}
    for instance in evidence.instances:
        key = instance.task
        run = runs.get((key.dag_id, key.run_id))
        if run is None:
            continue
        task = run.dag.tasks.get(key.task_id, Task())
        bounds = (
            (f"max_active_tasks of {key.dag_id} {key.run_id}", run.dag.max_active_tasks),
            (f"max_active_tis_per_dag of {key.dag_id} {key.task_id}", task.max_active_tis_per_dag),
            (f"max_active_tis_per_dagrun of {key.dag_id} {key.run_id} {key.task_id}", task.max_active_tis_per_dagrun),
        )
        for group, most in bounds:
            if most:
                yield from _moves(instance, group, 1, most)


def _moves(instance: Instance, group: str, weight: int, most: int) -> Iterator[_Move]:
    for change in instance.history:
        before, after = change.source in HOLDING, change.target in HOLDING
        if before != after:
            told = f"version {change.version} of {instance.task}"
            yield _Move(change.at_us, group, weight if after else -weight, most, told)


def _run_moves(runs: Iterable[Run], skew_us: int) -> Iterator[_Move]:
    for run in runs:
        group, most, since_us = f"max_active_runs of {run.dag_id}", run.dag.max_active_runs, None
        if run.backfill is not None:
            # A run that a backfill runs again was another's before that: whose is not in the history.
            group, most = f"max_active_runs of backfill {run.backfill.key}", run.backfill.max_active_runs
            since_us = run.backfill.made_at_us
        for change in run.history if most else ():
            before, after = change.source == "running", change.target == "running"
            if before != after and (since_us is None or change.at_us >= since_us):
                told = f"version {change.version} of run {run.run_id}"
                at_us = change.at_us if after else change.at_us - skew_us
                yield _Move(at_us, group, 1 if after else -1, most, told)
