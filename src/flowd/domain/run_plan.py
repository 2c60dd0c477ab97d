"""Incremental advance of a run: what the end of some instances means for those directly below them.

The caller loads the rows that `downstream_of` names, calls `step`, and goes on with the instances that the step itself
ended until a step brings no more. The cost is that of the edges out of what ended, never that of the run.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from flowd.domain.graph import Graph
from flowd.domain.ids import TaskId
from flowd.domain.states import TaskState
from flowd.domain.task_events import CompletedWithoutWork, Decided, Scheduled
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_spec import TaskSpec
from flowd.domain.trigger_rules import TriggerRule, UpstreamCounts, Verdict, evaluate
from flowd.domain.work import NoWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many of a task's direct upstreams have ended, by outcome, as the ledger keeps it with each instance."""

    success: int = 0
    failed: int = 0
    skipped: int = 0
    upstream_failed: int = 0
    removed: int = 0

    def plus(self, outcome: TaskState) -> "Tally":
        """Return the tally with one more upstream that ended as `outcome`."""
        name = outcome.value
        return replace(self, **{name: getattr(self, name) + 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the plan must know of one instance: its state, and how its direct upstreams ended."""

    task_id: TaskId
    state: TaskState
    tally: Tally = Tally()


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """An instance that has ended and whose downstreams have not been told; `skips` are tasks it decided against."""

    task_id: TaskId
    outcome: TaskState
    skips: tuple[TaskId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step decided: new tallies of the instances touched, and the event that each decided one meets."""

    tallies: Mapping[TaskId, Tally]
    events: Mapping[TaskId, Scheduled | Decided | CompletedWithoutWork]

    @property
    def news(self) -> list[News]:
        """The instances that this step itself ended: the news of the next step."""
        ended: list[News] = []
        for task_id, event in self.events.items():
            match event:
                case Decided(outcome):
                    ended.append(News(task_id=task_id, outcome=outcome))
                case CompletedWithoutWork():
                    ended.append(News(task_id=task_id, outcome=TaskState.SUCCESS))
                case Scheduled():
                    pass
        return ended


def downstream_of(graph: Graph, news: Iterable[News]) -> list[TaskId]:
    """Return the tasks whose standing `step` needs, each once, in the order in which the news name them."""
    touched: dict[TaskId, None] = {}
    for item in news:
        touched.update(dict.fromkeys(graph.downstream[item.task_id]))
        touched.update(dict.fromkeys(_known_skips(graph, item)))
        touched.update(dict.fromkeys(graph.serves.get(item.task_id, ())))
    return list(touched)


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
    standings: Mapping[TaskId, Standing],
    *,
    held: Collection[TaskId] = (),
    revisit: Iterable[TaskId] = (),
    decided_against: Iterable[TaskId] = (),
    setup_states: Mapping[TaskId, TaskState] = MappingProxyType({}),
) -> Step:
    """Return the consequences of `news` for the instances directly below.

    `standings` holds all of `downstream_of(news)` and of `revisit`, tasks to be judged anew though no upstream ended;
    those of them in `decided_against` are skipped: a branch that ended earlier did not take them.
    A task in `held` is not scheduled yet, whatever its trigger rule says: it depends on a past that is not settled.
    `setup_states` holds the state of all of `setups_of` what is judged; one that has not told of its end has not ended.
    """
    tallies: dict[TaskId, Tally] = {}
    judged_anew = list(revisit)
    skipped = set(decided_against) & set(judged_anew)
    for item in news:
        skipped.update(_known_skips(graph, item))
        judged_anew += graph.serves.get(item.task_id, ())
        for below in graph.downstream[item.task_id]:
            tallies[below] = tallies.get(below, standings[below].tally).plus(item.outcome)
    events: dict[TaskId, Scheduled | Decided | CompletedWithoutWork] = {}
    for task_id in dict.fromkeys([*tallies, *skipped, *judged_anew]):
        if standings[task_id].state is not TaskState.NONE:
            continue
        if task_id in skipped:
            events[task_id] = Decided(TaskState.SKIPPED)
            continue
        tally = tallies.get(task_id, standings[task_id].tally)
        verdict = verdict_of(graph, graph.tasks[task_id], tally, setup_states)
        event = _event(verdict, graph.tasks[task_id], is_held=task_id in held)
        if event is not None:
            events[task_id] = event
    return Step(tallies=tallies, events=events)


def recount(upstreams: Iterable[TaskInstance]) -> Tally:
    """Return a task's tally counted anew from its direct upstreams: those that have ended and have told so.

    An end is told once. So after a user's Cleared or Marked, which take back or replace an end that may have been told,
    the tally of every task directly below is to be replaced by this in the same transaction.
    """
    tally = Tally()
    for upstream in upstreams:
        if upstream.state.is_finished and not upstream.needs_propagation:
            tally = tally.plus(upstream.state)
    return tally


def verdict_of(graph: Graph, task: TaskSpec, tally: Tally, setup_states: Mapping[TaskId, TaskState]) -> Verdict:
    """Return what becomes of a task: what its indirect setups allow, and then what its trigger rule says."""
    setups = graph.setups.get(task.task_id)
    if setups is None:
        return evaluate(task.trigger_rule, counts_of(task, tally))
    by_setups = evaluate(TriggerRule.ALL_SUCCESS, _counts_of_states([setup_states[one] for one in setups.indirect]))
    if by_setups is not Verdict.READY:
        return by_setups
    direct = [setup_states[one] for one in setups.direct]
    counts = replace(
        counts_of(task, tally),
        setup_total=len(direct),
        setup_success=direct.count(TaskState.SUCCESS),
        setup_skipped=direct.count(TaskState.SKIPPED),
    )
    return evaluate(task.trigger_rule, counts)


def _counts_of_states(states: Sequence[TaskState]) -> UpstreamCounts:
    ended = {name: states.count(TaskState(name)) for name in (one.name for one in fields(Tally))}
    return UpstreamCounts(total=len(states), **ended)


def counts_of(task: TaskSpec, tally: Tally) -> UpstreamCounts:
    """Return the tally as the trigger rules take it."""
    return UpstreamCounts(
        total=len(task.upstream),
        success=tally.success,
        failed=tally.failed,
        skipped=tally.skipped,
        upstream_failed=tally.upstream_failed,
        removed=tally.removed,
    )


def _known_skips(graph: Graph, item: News) -> list[TaskId]:
    # They come from user code: a name that is not in the DAG must not stop the run's advance for ever.
    return [task_id for task_id in item.skips if task_id in graph.tasks]


def _event(verdict: Verdict, task: TaskSpec, *, is_held: bool) -> Scheduled | Decided | CompletedWithoutWork | None:
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
