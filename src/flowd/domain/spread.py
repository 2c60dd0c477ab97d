"""Spread: what an event of a mapped task means for its instances, and how many of them there are to be."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from flowd.domain.ids import TaskId
from flowd.domain.map_length import Expansion, evaluated, is_crossed_beyond, sources_of
from flowd.domain.mappable import DEFAULT_MOST_ITEMS
from flowd.domain.run_plan import PlanEvent
from flowd.domain.states import TaskState
from flowd.domain.task_events import Decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What is known of a task over whose result others expand: how many items it has once the task has ended."""

    is_ended: bool
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The event that each undecided instance meets, by map index, and that of those which are made.

    `size` is how many instances there are then, those made included; 0 where the task stays unexpanded.
    """

    events: Mapping[int, PlanEvent]
    size: int
    made: PlanEvent | None = None


def spread(
    expansion: Expansion,
    event: PlanEvent,
    *,
    undecided: Collection[int],
    existing: int,
    results: Mapping[TaskId, Result],
    most_crossed: int = DEFAULT_MOST_ITEMS,
) -> Spread | None:
    """Return how `event` spreads; None where the task must wait for what its length depends on.

    `existing` is how many instances it has expanded to already, 0 before. `results` holds all that its length depends
    on. As in Airflow, a task that is to run is skipped where its length is 0 and upstream_failed where it has none; one
    that is not to run expands all the same where the DAG file by itself says to how many; and one that has expanded
    before, and of which nothing is undecided, stays as it is, whatever its upstreams return now. One that would cross
    its arguments to more than `most_crossed` instances is upstream_failed before any of them is made.
    """
    sources = sources_of(expansion.length)
    if existing and sources and not undecided:
        return Spread(events={}, size=existing)
    if isinstance(event, Decided) and (sources or existing):
        return Spread(events=dict.fromkeys(undecided, event), size=existing)
    if not all(results[source].is_ended for source in sources):
        return None
    length = evaluated(expansion.length, {source: results[source].length for source in sources})
    if length is None or is_crossed_beyond(expansion.length, length, most_crossed):
        return Spread(events=dict.fromkeys(undecided, Decided(TaskState.UPSTREAM_FAILED)), size=existing)
    if existing:
        return Spread(events=_cut(undecided, event, length), size=max(existing, length), made=event)
    if length == 0:
        outcome = event if isinstance(event, Decided) else Decided(TaskState.SKIPPED)
        return Spread(events=dict.fromkeys(undecided, outcome), size=0)
    return Spread(events=dict.fromkeys(undecided, event), size=length, made=event)


def _cut(undecided: Iterable[int], event: PlanEvent, length: int) -> dict[int, PlanEvent]:
    """Return the event of each: the task ran before, over more items than there are now."""
    return {index: event if index < length else Decided(TaskState.REMOVED) for index in undecided}
