"""Advance: one transaction's work on a batch of locked runs, level by level below what has ended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from flowd.db.ledger import advance, read, write
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun, RunEvent, outcome_of
from flowd.domain.graph import Graph
from flowd.domain.ids import InstanceKey, RunKey, TaskId
from flowd.domain.run_plan import News, Standing, Step, Tally, downstream_of, setups_of, step
from flowd.domain.states import RunState, TaskState
from flowd.domain.task_events import Cleared, CompletedWithoutWork, Decided, RunStopped, TaskEvent
from flowd.domain.task_instance import TaskInstance
from flowd.roles.scheduler.fail_fast import stop_after_failure

PAST_SETTLED = frozenset({TaskState.SUCCESS, TaskState.SKIPPED})
"""States of the same task in the run before that let a task go on which depends on its past."""


@dataclass(slots=True)
class _Progress:
    """What this transaction knows and has decided of one run."""

    run: DagRun
    graph: Graph
    rows: dict[TaskId, advance.Row] = field(default_factory=dict)
    tallies: dict[TaskId, Tally] = field(default_factory=dict)
    events: dict[TaskId, TaskEvent] = field(default_factory=dict)
    told: list[InstanceKey] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    held: frozenset[TaskId] = frozenset()
    revisit: tuple[TaskId, ...] = ()
    decided_against: set[TaskId] = field(default_factory=set)

    def standing(self, task_id: TaskId) -> Standing:
        """Return the instance as it is after what has been decided so far."""
        row = self.rows[task_id]
        state = TaskState.SCHEDULED if task_id in self.events else row.instance.state
        return Standing(task_id=task_id, state=state, tally=self.tallies.get(task_id, row.tally))

    def setup_states(self, task_ids: Iterable[TaskId]) -> dict[TaskId, TaskState]:
        """Return the states of the setups that these tasks wait for, after what has been decided so far."""
        states: dict[TaskId, TaskState] = {}
        for setup in setups_of(self.graph, task_ids):
            match self.events.get(setup):
                case Decided(outcome):
                    states[setup] = outcome
                case CompletedWithoutWork():
                    states[setup] = TaskState.SUCCESS
                case _:
                    states[setup] = self.rows[setup].instance.state
        return states

    def take(self, decided: Step) -> None:
        """Note what a step decided; what it ended is the news of the next."""
        self.tallies.update(decided.tallies)
        self.events.update(decided.events)
        self.news = decided.news


class Advance:
    """Works on runs that this transaction has locked: `look_around`, `propagate` and `finish`, in this order."""

    def __init__(self, tx: Transaction, now: datetime, runs: Mapping[RunKey, tuple[DagRun, Graph]]) -> None:
        self._tx = tx
        self._now = now
        self._runs = {key: _Progress(run=run, graph=graph) for key, (run, graph) in runs.items()}
        self.ended: list[tuple[DagRun, RunEvent]] = []
        self.woken: set[RunKey] = set()
        self.changed = False
        self.has_asset_news = False

    def runs(self) -> list[DagRun]:
        """Return the runs as they are now, with their counters."""
        return [progress.run for progress in self._runs.values()]

    def waiting_for_past(self) -> set[RunKey]:
        """Return the runs with a task that depends on a past which is not settled."""
        return {key for key, one in self._runs.items() if one.held and not one.run.state.is_finished}

    async def look_around(self) -> None:
        """Find what is to be judged anew in the runs that asked to be looked at as a whole."""
        for progress in self._runs.values():
            await self._look_at_the_past(progress)
            if progress.run.has_news:
                progress.rows = await advance.undecided(self._tx, progress.run.key, progress.graph.tasks.keys())
                progress.revisit = tuple(task_id for task_id in progress.rows if task_id in progress.graph.tasks)
                await self._remove_unknown(progress)
                progress.decided_against = await advance.decided_against(self._tx, progress.run.key)

    async def propagate(self) -> None:
        """Tell the downstreams of every ended instance, and theirs, until nothing more is decided."""
        await stop_after_failure(self._tx, {key: one.graph for key, one in self._runs.items()}, self._now)
        for instance in await advance.ended_instances(self._tx, list(self._runs)):
            progress = self._runs[instance.run]
            progress.told.append(instance.key)
            if instance.task_id in progress.graph.tasks:
                self.has_asset_news |= bool(progress.graph.tasks[instance.task_id].outlets)
                progress.news.append(News(task_id=instance.task_id, outcome=instance.state, skips=instance.skips))
        newly_ended = {key: len(progress.told) + len(progress.events) for key, progress in self._runs.items()}
        while pending := [one for one in self._runs.values() if one.news or one.revisit]:
            by_run = {one.run.key: [*downstream_of(one.graph, one.news), *one.revisit] for one in pending}
            await self._load(
                {key: [*task_ids, *setups_of(self._runs[key].graph, task_ids)] for key, task_ids in by_run.items()}
            )
            for progress in pending:
                touched = set(by_run[progress.run.key])
                progress.take(
                    step(
                        progress.graph,
                        progress.news,
                        {task_id: progress.standing(task_id) for task_id in touched},
                        held=progress.held,
                        revisit=progress.revisit,
                        decided_against=progress.decided_against,
                        setup_states=progress.setup_states(touched),
                    )
                )
                progress.revisit = ()
                newly_ended[progress.run.key] += len(progress.news)
        await self._write(newly_ended)

    async def finish(self) -> None:
        """End the runs in which nothing is left, and those whose time is up."""
        ending: list[tuple[DagRun, RunEvent]] = []
        for progress in self._runs.values():
            if progress.run.timeout_at is not None and progress.run.timeout_at <= self._now:
                await self._stop(progress)
                ending.append((progress.run, RunEvent.TIMED_OUT))
            elif progress.run.unfinished <= 0:
                states = await advance.states_of(self._tx, progress.run.key, task_ids=progress.graph.leaves)
                ending.append((progress.run, outcome_of(states.values())))
        for run, (_, event) in zip(await write.apply_to_runs(self._tx, ending, self._now), ending, strict=True):
            self._runs[run.key].run = run
            self.ended.append((run, event))
            self.changed = True

    async def _write(self, newly_ended: Mapping[RunKey, int]) -> None:
        changes: list[tuple[TaskInstance, TaskEvent]] = []
        tallies: dict[InstanceKey, Tally] = {}
        told: list[InstanceKey] = []
        for progress in self._runs.values():
            changes += [(progress.rows[task_id].instance, event) for task_id, event in progress.events.items()]
            tallies |= {progress.rows[task_id].instance.key: tally for task_id, tally in progress.tallies.items()}
            told += progress.told
            progress.run = replace(progress.run, unfinished=progress.run.unfinished - newly_ended[progress.run.key])
        for answer in await write.apply(self._tx, changes, self._now):
            if not isinstance(answer, TaskInstance):
                raise answer
            if answer.needs_propagation:
                told.append(answer.key)
        await advance.settle(self._tx, tallies, told)
        self.changed = self.changed or bool(changes or told)
        await self._wake_successors(newly_ended)

    async def _stop(self, progress: _Progress) -> None:
        """End whatever is left of a run whose time is up; a worker that still runs one of these is fenced."""
        left = await advance.unfinished_instances(self._tx, progress.run.key)
        stopped = [(instance, RunStopped(TaskState.SKIPPED)) for instance in left]
        await write.apply(self._tx, stopped, self._now)
        await advance.mark_told(self._tx, [instance.key for instance in left])
        progress.run = replace(progress.run, unfinished=0)

    async def _remove_unknown(self, progress: _Progress) -> None:
        """End as removed what a run that was moved to another version of its DAG has and that version has not.

        What is under way is cleared first; a running one is removed only once its process is dead.
        """
        unknown = {task_id: row for task_id, row in progress.rows.items() if task_id not in progress.graph.tasks}
        under_way = [row.instance for row in unknown.values() if row.instance.state is not TaskState.NONE]
        for answer in await write.apply(self._tx, [(one, Cleared(retries=0)) for one in under_way], self._now):
            if not isinstance(answer, TaskInstance):
                raise answer
            unknown[answer.task_id] = replace(unknown[answer.task_id], instance=answer)
            self.changed = True
        for task_id, row in unknown.items():
            progress.rows[task_id] = row
            if row.instance.state is TaskState.NONE:
                progress.events[task_id] = Decided(TaskState.REMOVED)

    async def _load(self, wanted: Mapping[RunKey, Iterable[TaskId]]) -> None:
        missing = [
            (key, task_id)
            for key, task_ids in wanted.items()
            for task_id in dict.fromkeys(task_ids)
            if task_id not in self._runs[key].rows
        ]
        if missing:
            for (key, task_id), row in (await advance.standings(self._tx, missing)).items():
                self._runs[key].rows[task_id] = row

    async def _look_at_the_past(self, progress: _Progress) -> None:
        """Find out which tasks that depend on their past must wait: all, where the run before has not begun."""
        needs_of = progress.graph.past
        before = await advance.previous_run(self._tx, progress.run) if needs_of else None
        if before is not None:
            has_begun = (await read.run(self._tx, before)).state is not RunState.QUEUED
            wanted = {need for needs in needs_of.values() for need in needs}
            past = await advance.states_of(self._tx, before, task_ids=tuple(sorted(wanted)))
            settled = {need for need in wanted if (past[need] in PAST_SETTLED if need in past else has_begun)}
            progress.held = frozenset(task_id for task_id, needs in needs_of.items() if not settled.issuperset(needs))

    async def _wake_successors(self, newly_ended: Mapping[RunKey, int]) -> None:
        """Ring the run after each of these where a task ended that it may depend on."""
        for progress in self._runs.values():
            if newly_ended[progress.run.key] and progress.graph.depending_on_past:
                after = await advance.next_run(self._tx, progress.run)
                if after is not None:
                    self.woken.add(after)
