"""Tally: how the upstreams of a task have ended, counted as they end, or anew from all the instances of a run."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace

from flowd.domain.graph import Graph
from flowd.domain.ids import UNMAPPED, TaskId
from flowd.domain.states import TaskState
from flowd.domain.task_instance import TaskInstance

Place = tuple[TaskId, int]
"""Where one tally is kept and one judgement made: a task, and a map index where a mapped group has expanded.

The index is UNMAPPED for everything else. A mapped task that is in no mapped group is one place however many instances
it has: they wait for the same upstreams, and what is decided of the place is for each of them that is undecided.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many of a place's upstream instances have ended, by outcome, as the ledger keeps it with an instance.

    `extra` is how many upstream instances there are beyond one for each upstream task: those of mapped ones.
    """

    success: int = 0
    failed: int = 0
    skipped: int = 0
    upstream_failed: int = 0
    removed: int = 0
    extra: int = 0

    def plus(self, outcome: TaskState) -> "Tally":
        """Return the tally with one more upstream that ended as `outcome`."""
        name = outcome.value
        return replace(self, **{name: getattr(self, name) + 1})

    def minus(self, outcome: TaskState) -> "Tally":
        """Return the tally without one of the upstreams that ended as `outcome`."""
        name = outcome.value
        return replace(self, **{name: getattr(self, name) - 1})

    def grown(self, by: int) -> "Tally":
        """Return the tally with `by` more upstream instances, none of which has ended."""
        return replace(self, extra=self.extra + by)


OUTCOMES = tuple(one.name for one in fields(Tally) if one.name != "extra")
"""The states in which an upstream ends, as a tally counts them."""


def place_of(graph: Graph, task_id: TaskId, map_index: int) -> Place:
    """Return the place of an instance."""
    return (task_id, map_index if task_id in graph.groups else UNMAPPED)


def is_fit(graph: Graph, instance: TaskInstance) -> bool:
    """Return True where the DAG has such an instance: its run may have been moved to a version that has not."""
    task = graph.tasks.get(instance.task_id)
    return task is not None and (task.expansion is not None or instance.map_index == UNMAPPED)


def recount(graph: Graph, instances: Iterable[TaskInstance]) -> dict[Place, Tally]:
    """Return the tally of every place of a run, counted anew from all its instances: those that have told of their end.

    An end is told once. So after a user's Cleared or Marked, which take back or replace an end that may have been told,
    the tally of every task directly below is to be replaced by this in the same transaction.
    """
    by_task: dict[TaskId, dict[int, TaskInstance]] = {}
    for one in instances:
        if one.task_id in graph.tasks:
            by_task.setdefault(one.task_id, {})[one.map_index] = one
    whole = {task_id: _ended(of_task.values()) for task_id, of_task in by_task.items()}
    counted: dict[Place, Tally] = {}
    for task_id, of_task in by_task.items():
        for place in {place_of(graph, task_id, map_index) for map_index in of_task}:
            tally = Tally()
            for above in graph.tasks[task_id].upstream:
                its = by_task.get(above, {})
                beside = its.get(place[1], its.get(UNMAPPED)) if graph.is_beside(task_id, above) else None
                tally = _sum(tally, whole.get(above, Tally()) if beside is None else _ended([beside]))
            counted[place] = tally
    return counted


def _ended(instances: Collection[TaskInstance]) -> Tally:
    """Return what the instances of one task add to the tally of a place below."""
    told = Counter(one.state.value for one in instances if one.state.is_finished and not one.needs_propagation)
    return Tally(**told, extra=max(len(instances), 1) - 1)


def _sum(one: Tally, other: Tally) -> Tally:
    return Tally(**{each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(Tally)})
