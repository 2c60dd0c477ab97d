"""Incremental advance of a run: what the end of some instances means for those directly below them.

The caller loads the rows that `downstream_of` names, calls `step`, and goes on with the instances that the step itself
ended until a step brings no more. The cost is that of the edges out of what ended, never that of the run.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import ClassVar

from flowd.domain.graph import Graph
from flowd.domain.ids import UNMAPPED, TaskId
from flowd.domain.map_length import sources_of
from flowd.domain.states import TaskState
from flowd.domain.tally import OUTCOMES, Place, Tally
from flowd.domain.task_events import CompletedWithoutWork, Decided, Scheduled
from flowd.domain.task_spec import TaskSpec
from flowd.domain.trigger_rules import TriggerRule, UpstreamCounts, Verdict, evaluate
from flowd.domain.work import NoWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the plan must know of one place: the state of its instance, and how its upstreams ended.

    Of a mapped task that `is_expanded` the state is `none` where any of its instances may be undecided.
    """

    place: Place
    state: TaskState
    tally: Tally = field(default_factory=Tally)
    is_expanded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """An instance that has ended and whose downstreams have not been told; `skips` are tasks it decided against."""

    task_id: TaskId
    outcome: TaskState
    skips: tuple[TaskId, ...] = ()
    map_index: int = UNMAPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A mapped task has become `by` instances more, of which its downstreams have not been told."""

    task_id: TaskId
    by: int
    map_index: ClassVar[int] = UNMAPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What a step must know the standing of: `places` by name, and every place of `tasks`, which are in mapped groups.

    Where a mapped group has not expanded, or this instance of it not, its one place stands for the one that is named.
    """

    places: Sequence[Place]
    tasks: Sequence[TaskId] = ()


SetupStates = Mapping[TaskId, Mapping[int, TaskState]]
"""The states of setups, by map index."""

PlanEvent = Scheduled | Decided | CompletedWithoutWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step decided: new tallies of the places touched, and the event that each decided one meets."""

    tallies: Mapping[Place, Tally]
    events: Mapping[Place, PlanEvent]

    @property
    def news(self) -> list[News]:
        """What this step itself ended, were no task mapped: the news of the next step."""
        return [
            News(task_id=task_id, outcome=outcome, map_index=map_index)
            for (task_id, map_index), event in self.events.items()
            if (outcome := outcome_of(event)) is not None
        ]


def outcome_of(event: PlanEvent) -> TaskState | None:
    """Return the state in which an event ends its instance; None where it does not end it."""
    match event:
        case Decided(outcome):
            return outcome
        case CompletedWithoutWork():
            return TaskState.SUCCESS
        case Scheduled():
            return None


def downstream_of(graph: Graph, news: Iterable[News], growths: Iterable[Growth] = ()) -> Touched:
    """Return what `step` needs the standings of, each once, in the order in which news and growths name it."""
    places: dict[Place, None] = {}
    tasks: dict[TaskId, None] = {}
    every: list[News | Growth] = [*growths, *news]
    for told in every:
        for task_id in _below(graph, told):
            if task_id not in graph.groups:
                places[task_id, UNMAPPED] = None
            elif told.map_index == UNMAPPED or not graph.is_beside(told.task_id, task_id):
                tasks[task_id] = None
            else:
                places[task_id, told.map_index] = None
        for task_id in _fed(graph, told):
            places[task_id, UNMAPPED] = None
    return Touched(places=list(places), tasks=list(tasks))


def setups_of(graph: Graph, task_ids: Iterable[TaskId]) -> list[TaskId]:
    """Return the setups whose states `step` needs to judge these tasks, each once."""
    found: dict[TaskId, None] = {}
    for task_id in task_ids if graph.setups else ():
        if (its := graph.setups.get(task_id)) is not None:
            found.update(dict.fromkeys((*its.direct, *its.indirect)))
    return list(found)


def step(
    graph: Graph,
    news: Sequence[News],
    standings: Mapping[Place, Standing],
    *,
    growths: Sequence[Growth] = (),
    held: Collection[TaskId] = (),
    revisit: Iterable[Place] = (),
    decided_against: Iterable[Place] = (),
    setup_states: SetupStates = MappingProxyType({}),
) -> Step:
    """Return the consequences of `news` and `growths` for the places directly below.

    `standings` holds all that the run has of `downstream_of(news, growths)` and of `revisit`, places to be judged anew
    though no upstream ended; those of them in `decided_against` are skipped: a branch that ended earlier did not take
    them.
    A task in `held` is not scheduled yet, whatever its trigger rule says: it depends on a past that is not settled.
    `setup_states` holds the state of all of `setups_of` what is judged; one that has not told of its end has not ended.
    """
    below = _Below(graph, standings)
    tallies = below.tallies(news, growths)
    asked = dict.fromkeys(revisit)
    skipped = (set(decided_against) & asked.keys()) | below.skipped(news)
    ended = {item.task_id for item in news}
    events: dict[Place, PlanEvent] = {}
    for place in dict.fromkeys([*tallies, *skipped, *asked, *below.served(news), *below.fed(news)]):
        standing, task = standings[place], graph.tasks[place[0]]
        if standing.state is not TaskState.NONE:
            continue
        if place in skipped:
            events[place] = Decided(TaskState.SKIPPED)
            continue
        if place not in asked and _was_decided(graph, task, standing, ended):
            continue
        verdict = verdict_of(graph, task, tallies.get(place, standing.tally), setup_states, map_index=place[1])
        event = _event(verdict, task, is_held=task.task_id in held)
        if event is not None:
            events[place] = event
    return Step(tallies=tallies, events=events)


class _Below:
    """Which of the places that are known a piece of news counts for."""

    def __init__(self, graph: Graph, standings: Mapping[Place, Standing]) -> None:
        self._graph = graph
        self._standings = standings
        self._indexes: dict[TaskId, dict[int, None]] = {}
        for task_id, map_index in standings if graph.groups else ():
            if task_id in graph.groups:
                self._indexes.setdefault(task_id, {})[map_index] = None

    def tallies(self, news: Iterable[News], growths: Iterable[Growth]) -> dict[Place, Tally]:
        """Return the tallies after the growths, and then the ends: there are never more ends than instances."""
        tallies: dict[Place, Tally] = {}
        for growth in growths:
            for task_id in _below(self._graph, growth):
                for place in self._places(growth, task_id):
                    tallies[place] = tallies.get(place, self._standings[place].tally).grown(growth.by)
        for item in news:
            for task_id in self._graph.downstream[item.task_id]:
                for place in self._places(item, task_id):
                    tallies[place] = tallies.get(place, self._standings[place].tally).plus(item.outcome)
        return tallies

    def skipped(self, news: Iterable[News]) -> set[Place]:
        """Return what branches decided against."""
        return {
            place
            for item in news
            for task_id in _known_skips(self._graph, item)
            for place in self._places(item, task_id)
        }

    def served(self, news: Iterable[News]) -> list[Place]:
        """Return the places for which a setup counts that has ended."""
        serves = self._graph.serves
        return [
            place for item in news for task_id in serves.get(item.task_id, ()) for place in self._places(item, task_id)
        ]

    def fed(self, news: Iterable[News]) -> list[Place]:
        """Return the places that wait for no task directly which has ended and returns their items."""
        fed = ((task_id, UNMAPPED) for item in news for task_id in _fed(self._graph, item))
        return [place for place in fed if place in self._standings]

    def _places(self, told: News | Growth, task_id: TaskId) -> Iterable[Place]:
        if task_id not in self._graph.groups:
            # A run whose date is outside of the task's own is without it.
            return ((task_id, UNMAPPED),) if (task_id, UNMAPPED) in self._standings else ()
        known = self._indexes.get(task_id, {})
        if told.map_index == UNMAPPED or not self._graph.is_beside(told.task_id, task_id):
            return [(task_id, one) for one in known]
        return [(task_id, one) for one in (told.map_index, UNMAPPED) if one in known][:1]


def _below(graph: Graph, told: News | Growth) -> list[TaskId]:
    """Return the tasks for which it may mean something."""
    below = graph.downstream[told.task_id]
    if isinstance(told, Growth):
        return [one for one in below if not graph.is_beside(told.task_id, one)]
    return [*below, *_known_skips(graph, told), *graph.serves.get(told.task_id, ())]


def _fed(graph: Graph, told: News | Growth) -> tuple[TaskId, ...]:
    """Return the tasks that may only have waited for the items which it returns."""
    return graph.feeds.get(told.task_id, ()) if isinstance(told, News) else ()


def _was_decided(graph: Graph, task: TaskSpec, standing: Standing, ended: Collection[TaskId]) -> bool:
    """Return True where the tally of an expanded task had decided before, so that no instance can be undecided.

    Not where a task is among the `ended` that returns its items: a task that was cleared after it had expanded may
    have been decided already, and have waited for these alone.
    """
    if not standing.is_expanded or task.task_id in graph.setups:
        return False
    if task.expansion is not None and not sources_of(task.expansion.length).isdisjoint(ended):
        return False
    return verdict_of(graph, task, standing.tally, {}) is not Verdict.WAIT


def verdict_of(
    graph: Graph, task: TaskSpec, tally: Tally, setup_states: SetupStates, *, map_index: int = UNMAPPED
) -> Verdict:
    """Return what becomes of a task: what its indirect setups allow, and then what its trigger rule says."""
    setups = graph.setups.get(task.task_id)
    if setups is None:
        return evaluate(task.trigger_rule, counts_of(task, tally))
    states = partial(_setup_states, graph, task.task_id, map_index, setup_states)
    by_setups = evaluate(TriggerRule.ALL_SUCCESS, _counts_of_states(states(setups.indirect)))
    if by_setups is not Verdict.READY:
        return by_setups
    direct = states(setups.direct)
    counts = replace(
        counts_of(task, tally),
        setup_total=len(direct),
        setup_success=direct.count(TaskState.SUCCESS),
        setup_skipped=direct.count(TaskState.SKIPPED),
    )
    return evaluate(task.trigger_rule, counts)


def _setup_states(
    graph: Graph, task_id: TaskId, map_index: int, states: SetupStates, setups: Iterable[TaskId]
) -> list[TaskState]:
    """Return the states of the instances of these setups that count for one map index of a task."""
    found: list[TaskState] = []
    for setup in setups:
        of_setup = states[setup]
        if map_index in of_setup and graph.is_beside(task_id, setup):
            found.append(of_setup[map_index])
        else:
            found += of_setup.values()
    return found


def _counts_of_states(states: Sequence[TaskState]) -> UpstreamCounts:
    ended = {name: states.count(TaskState(name)) for name in OUTCOMES}
    return UpstreamCounts(total=len(states), **ended)


def counts_of(task: TaskSpec, tally: Tally) -> UpstreamCounts:
    """Return the tally as the trigger rules take it."""
    return UpstreamCounts(
        total=len(task.upstream) + tally.extra,
        success=tally.success,
        failed=tally.failed,
        skipped=tally.skipped,
        upstream_failed=tally.upstream_failed,
        removed=tally.removed,
    )


def _known_skips(graph: Graph, item: News) -> list[TaskId]:
    # They come from user code: a name that is not in the DAG must not stop the run's advance for ever.
    return [task_id for task_id in item.skips if task_id in graph.tasks]


def _event(verdict: Verdict, task: TaskSpec, *, is_held: bool) -> PlanEvent | None:
    match verdict:
        case Verdict.WAIT:
            return None
        case Verdict.READY if is_held:
            return None
        case Verdict.READY if isinstance(task.work, NoWork):
            return CompletedWithoutWork()
        case Verdict.READY:
            return Scheduled()
        case _:
            return Decided(TaskState(verdict.value))
