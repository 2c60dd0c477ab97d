"""Advance: one transaction's work on a batch of locked runs, level by level below what has ended."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from flowd.db.ledger import advance, mapped, read, write
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun, RunEvent, outcome_of
from flowd.domain.graph import Graph
from flowd.domain.ids import UNMAPPED, InstanceKey, RunKey, TaskId
from flowd.domain.mappable import DEFAULT_MOST_ITEMS
from flowd.domain.run_plan import News, Touched, downstream_of, setups_of, step
from flowd.domain.states import RunState, TaskState
from flowd.domain.tally import Place, Tally, is_fit, place_of
from flowd.domain.task_dates import absent_tasks
from flowd.domain.task_events import Cleared, Decided, RunStopped, TaskEvent
from flowd.domain.task_instance import TaskInstance
from flowd.roles.scheduler.expand_tasks import expand_tasks
from flowd.roles.scheduler.fail_fast import stop_after_failure
from flowd.roles.scheduler.run_progress import RunProgress

PAST_SETTLED = frozenset({TaskState.SUCCESS, TaskState.SKIPPED})
"""States of the same task in the run before that let a task go on which depends on its past."""

MOST_CHANGES = 100
"""How many changes one statement writes: a mapped task may come to thousands at once."""


class Advance:
    """Works on runs that this transaction has locked: `look_around`, `propagate` and `finish`, in this order."""

    def __init__(
        self,
        tx: Transaction,
        now: datetime,
        runs: Mapping[RunKey, tuple[DagRun, Graph]],
        *,
        most_crossed: int = DEFAULT_MOST_ITEMS,
    ) -> None:
        self._tx = tx
        self._now = now
        self._runs = {
            key: RunProgress(run=run, graph=graph, most_crossed=most_crossed) for key, (run, graph) in runs.items()
        }
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
                rows = await advance.undecided(self._tx, progress.run.key, progress.graph.tasks.keys())
                await self._remove_unknown(progress, [row for row in rows if not is_fit(progress.graph, row.instance)])
                await self._judge_anew(progress, [row for row in rows if is_fit(progress.graph, row.instance)])
                progress.decided_against = await self._decided_against(progress)

    async def propagate(self) -> None:
        """Tell the downstreams of every ended instance, and theirs, until nothing more is decided."""
        await stop_after_failure(self._tx, {key: one.graph for key, one in self._runs.items()}, self._now)
        ended = await advance.ended_instances(self._tx, list(self._runs))
        # The clock was read with the locks of the runs; a worker that then still held one of these ended it later. No
        # effect is dated before its cause.
        self._now = max([self._now, *(one.ended_at for one in ended if one.ended_at)])
        for instance in ended:
            progress = self._runs[instance.run]
            progress.told.append(instance.key)
            if instance.task_id in progress.graph.tasks:
                self.has_asset_news |= bool(progress.graph.tasks[instance.task_id].outlets)
                progress.news.append(
                    News(
                        task_id=instance.task_id,
                        outcome=instance.state,
                        skips=instance.skips,
                        map_index=instance.map_index,
                    )
                )
        while pending := [one for one in self._runs.values() if one.is_pending]:
            touched = {one.run.key: downstream_of(one.graph, one.news, one.growths) for one in pending}
            await self._load(touched)
            for progress in pending:
                await self._step(progress, touched[progress.run.key])
        await self._write()

    async def _step(self, progress: RunProgress, touched: Touched) -> None:
        revisit = Touched(places=progress.revisit)
        standings = progress.standings(touched) | progress.standings(revisit)
        decided = step(
            progress.graph,
            progress.news,
            standings,
            growths=progress.growths,
            held=progress.held,
            revisit=progress.revisit,
            decided_against=progress.decided_against,
            setup_states=progress.setup_states(task_id for task_id, _ in standings),
        )
        anew = progress.revisit
        await expand_tasks(self._tx, progress, progress.take(decided), anew=anew)
        if progress.revisit:
            # A branch may have decided, long ago, against the tasks of which there are more instances now.
            progress.decided_against = await self._decided_against(progress)

    async def finish(self) -> None:
        """End the runs in which nothing is left or can go on, and those whose time is up."""
        ending: list[tuple[DagRun, RunEvent]] = []
        for progress in self._runs.values():
            if progress.run.timeout_at is not None and progress.run.timeout_at <= self._now:
                await self._stop(progress, RunStopped(TaskState.SKIPPED))
                ending.append((progress.run, RunEvent.TIMED_OUT))
            elif progress.run.unfinished <= 0:
                states = await advance.states_of(self._tx, progress.run.key, task_ids=progress.graph.leaves)
                ending.append((progress.run, outcome_of(states.values())))
            elif not progress.held and absent_tasks(progress.graph, progress.run):
                if await advance.is_deadlocked(self._tx, progress.run.key):
                    await self._stop(progress, Decided(TaskState.UPSTREAM_FAILED))
                    ending.append((progress.run, RunEvent.DEADLOCKED))
        for run, (_, event) in zip(await write.apply_to_runs(self._tx, ending, self._now), ending, strict=True):
            self._runs[run.key].run = run
            self.ended.append((run, event))
            self.changed = True

    async def _write(self) -> None:
        changes: list[tuple[TaskInstance, TaskEvent]] = []
        tallies: dict[InstanceKey, Tally] = {}
        told: list[InstanceKey] = []
        for progress in self._runs.values():
            changes += progress.changes
            tallies |= {
                progress.rows[task_id][map_index].instance.key: tally
                for (task_id, map_index), tally in progress.tallies.items()
            }
            told += progress.told
            unfinished = progress.run.unfinished + progress.made - progress.newly_ended
            progress.run = replace(progress.run, unfinished=unfinished)
        if len(changes) > mapped.MOST_BRIEF:
            self._tx.linger()
        for start in range(0, len(changes), MOST_CHANGES):
            for answer in await write.apply(self._tx, changes[start : start + MOST_CHANGES], self._now):
                if not isinstance(answer, TaskInstance):
                    raise answer
                if answer.needs_propagation:
                    told.append(answer.key)
        await advance.settle(self._tx, tallies, told)
        self.changed = self.changed or bool(changes or told)
        await self._wake_successors()

    async def _stop(self, progress: RunProgress, event: TaskEvent) -> None:
        """End whatever is left of a run; a worker that still runs one of these is fenced."""
        left = await advance.unfinished_instances(self._tx, progress.run.key)
        stopped = [(instance, event) for instance in left]
        await write.apply(self._tx, stopped, self._now)
        await advance.mark_told(self._tx, [instance.key for instance in left])
        progress.run = replace(progress.run, unfinished=0)

    async def _remove_unknown(self, progress: RunProgress, unknown: Iterable[advance.Row]) -> None:
        """End as removed what a run that was moved to another version of its DAG has and that version has not.

        What is under way is cleared first; a running one is removed only once its process is dead.
        """
        instances = [row.instance for row in unknown]
        under_way = [one for one in instances if one.state is not TaskState.NONE]
        removable = [one for one in instances if one.state is TaskState.NONE]
        for answer in await write.apply(self._tx, [(one, Cleared(retries=0)) for one in under_way], self._now):
            if not isinstance(answer, TaskInstance):
                raise answer
            removable += [answer] if answer.state is TaskState.NONE else []
            self.changed = True
        for instance in removable:
            progress.remove(instance)

    async def _judge_anew(self, progress: RunProgress, rows: Iterable[advance.Row]) -> None:
        """Let the next step judge these instances; a mapped task by its first one, decided or not."""
        places: dict[Place, None] = {}
        for row in rows:
            place = place_of(progress.graph, row.instance.task_id, row.instance.map_index)
            places[place] = None
            if row.instance.map_index in (place[1], 0):
                progress.know(row)
        progress.revisit = tuple(places)
        await self._load({progress.run.key: Touched(places=list(places))})

    async def _decided_against(self, progress: RunProgress) -> set[Place]:
        branches = await advance.branches(self._tx, progress.run.key)
        return {
            place
            for one in branches
            for task_id in one.skips
            if task_id in progress.graph.tasks
            for place in progress.revisit
            if place[0] == task_id
            and (place[1] in (one.map_index, UNMAPPED) or not progress.graph.is_beside(one.task_id, task_id))
        }

    async def _load(self, wanted: Mapping[RunKey, Touched]) -> None:
        """Load what is not known yet of these places, of the tasks in mapped groups, and of the setups of them all."""
        missing: dict[tuple[RunKey, TaskId, int], None] = {}
        for key, touched in wanted.items():
            progress = self._runs[key]
            whole = [task_id for task_id in touched.tasks if task_id not in progress.members]
            places = [place for place in touched.places if progress.place(place) is None]
            task_ids = {*touched.tasks, *(task_id for task_id, _ in (*touched.places, *progress.revisit))}
            for setup in setups_of(progress.graph, task_ids):
                if progress.graph.tasks[setup].expansion is None:
                    places += [] if progress.place((setup, UNMAPPED)) else [(setup, UNMAPPED)]
                else:
                    whole += [] if setup in progress.members else [setup]
            for task_id, map_index in places:
                missing |= dict.fromkeys((key, task_id, index) for index in _where(progress.graph, task_id, map_index))
            if whole:
                await self._load_members(progress, whole)
        if missing:
            for (key, _, _), row in (await advance.standings(self._tx, missing)).items():
                self._runs[key].know(row)

    async def _load_members(self, progress: RunProgress, task_ids: Iterable[TaskId]) -> None:
        found = await mapped.members(self._tx, progress.run.key, task_ids)
        for task_id, rows in found.items():
            if task_id in progress.graph.groups:
                for row in rows:
                    if row.instance.map_index not in progress.rows.get(task_id, {}):
                        progress.know(row)
            progress.members[task_id] = rows

    async def _look_at_the_past(self, progress: RunProgress) -> None:
        """Find out which tasks that depend on their past must wait: all, where the run before has not begun."""
        needs_of = progress.graph.past
        before = await advance.previous_run(self._tx, progress.run) if needs_of else None
        if before is not None:
            has_begun = (await read.run(self._tx, before)).state is not RunState.QUEUED
            wanted = {need for needs in needs_of.values() for need in needs}
            past = await advance.states_of(self._tx, before, task_ids=tuple(sorted(wanted)))
            begun = {task_id for task_id, _ in past}
            unsettled = {task_id for (task_id, _), state in past.items() if state not in PAST_SETTLED}
            settled = {need for need in wanted if (need not in unsettled if need in begun else has_begun)}
            progress.held = frozenset(task_id for task_id, needs in needs_of.items() if not settled.issuperset(needs))

    async def _wake_successors(self) -> None:
        """Ring the run after each of these where a task ended that it may depend on."""
        for progress in self._runs.values():
            if progress.newly_ended and progress.graph.depending_on_past:
                after = await advance.next_run(self._tx, progress.run)
                if after is not None:
                    self.woken.add(after)


def _where(graph: Graph, task_id: TaskId, map_index: int) -> tuple[int, ...]:
    """Return the map indexes at which the instance may be that stands for a place."""
    if graph.tasks[task_id].expansion is None:
        return (UNMAPPED,)
    return (UNMAPPED, max(map_index, 0))
