"""clear_tasks and clear_run: task instances are to run again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from flowd.actions.backends import Backends
from flowd.db import xcoms
from flowd.db.graphs import Graphs
from flowd.db.latest import latest
from flowd.db.ledger import advance, callbacks, create, lanes, read, restart, write
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun, RunEvent
from flowd.domain.errors import InvalidInput, NotFound
from flowd.domain.graph import Graph
from flowd.domain.ids import DagId, InstanceKey, RunId, TaskId
from flowd.domain.setup_teardown import along_with
from flowd.domain.states import FINISHED, TaskState
from flowd.domain.tally import is_fit
from flowd.domain.task_events import Cleared
from flowd.domain.task_instance import TaskInstance

FAILED = frozenset({TaskState.FAILED, TaskState.UPSTREAM_FAILED})
ABOUT_TO_START = frozenset({TaskState.SCHEDULED, TaskState.QUEUED})
UNDECIDED = frozenset({TaskState.NONE})
UNDER_WAY = frozenset(TaskState) - FINISHED - UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearSelection:
    """Which instances of a DAG to clear. `run_id` None is every run whose logical date lies in the dates given.

    `map_indexes` keeps, of a task that it names, only those instances. `include_past` and `include_future` add the same
    tasks of all earlier or later runs. `only_failed` keeps failed and upstream_failed instances, `only_running` running
    ones. `reset_dag_runs` lets finished runs go on by themselves.
    """

    dag_id: DagId
    run_id: RunId | None = None
    task_ids: Sequence[TaskId] | None = None
    map_indexes: Mapping[TaskId, Collection[int]] = field(default_factory=dict)
    start_date: datetime | None = None
    end_date: datetime | None = None
    include_upstream: bool = False
    include_downstream: bool = False
    include_past: bool = False
    include_future: bool = False
    only_failed: bool = False
    only_running: bool = False
    reset_dag_runs: bool = True
    run_on_latest_version: bool = False

    @property
    def is_of_whole_runs(self) -> bool:
        """True where every task is meant, whatever its state."""
        return self.task_ids is None and not self.only_failed and not self.only_running


async def clear_tasks(backends: Backends, selection: ClearSelection, *, dry_run: bool) -> list[InstanceKey]:
    """Clear what the selection names and return its instances; a dry run only returns them.

    A running instance loses its token at once, so that its old process is fenced. Raises NotFound for an unknown DAG or
    run, InvalidInput for unknown tasks.
    """

    async def attempt() -> tuple[list[DagRun], list[InstanceKey]]:
        async with backends.metastore.transaction() as tx:
            return await clear_within(tx, backends.graphs, selection, dry_run=dry_run)

    runs, cleared = await backends.metastore.retrying(attempt)
    if not dry_run:
        await backends.queue.ring([run.key for run in runs])
    return cleared


async def clear_run(
    backends: Backends,
    dag_id: DagId,
    run_id: RunId,
    *,
    only_failed: bool = False,
    run_on_latest_version: bool = False,
    dry_run: bool = False,
) -> list[InstanceKey]:
    """Clear every instance of a run, or its failed ones, and let the run go on."""
    selection = ClearSelection(
        dag_id=dag_id, run_id=run_id, only_failed=only_failed, run_on_latest_version=run_on_latest_version
    )
    return await clear_tasks(backends, selection, dry_run=dry_run)


async def clear_within(
    tx: Transaction, graphs: Graphs, selection: ClearSelection, *, dry_run: bool
) -> tuple[list[DagRun], list[InstanceKey]]:
    """Clear as `clear_tasks` does, in the caller's transaction; return the runs to be rung after it, too."""
    if not await restart.is_known(tx, selection.dag_id):
        raise NotFound(f"The Dag with ID: `{selection.dag_id}` was not found")
    keys = await restart.select_runs(
        tx,
        selection.dag_id,
        run_id=selection.run_id,
        start_date=selection.start_date,
        end_date=selection.end_date,
        past=selection.include_past,
        future=selection.include_future,
    )
    if selection.run_id is not None and not keys:
        raise NotFound(f"The DagRun with dag_id: `{selection.dag_id}` and run_id: `{selection.run_id}` was not found")
    runs = await read.runs(tx, keys)
    if selection.run_on_latest_version and runs and not dry_run:
        runs = await _move_to_latest(tx, graphs, selection.dag_id, runs)
    if selection.reset_dag_runs and not dry_run:
        await lanes.leave_ended_backfills(tx, [run for run in runs if run.state.is_finished])
    by_version = await graphs.get(tx, {run.dag_version for run in runs})
    now = await tx.now()
    cleared: list[InstanceKey] = []
    changed_runs: list[DagRun] = []
    for run in runs:
        graph = by_version[run.dag_version]
        instances = await restart.instances_of(tx, run.key)
        chosen = _choose(graph, selection, instances)
        cleared += [instance.key for instance in chosen]
        # A live run that moved may have tasks under way which its version no longer has: they are ended, whatever
        # else is cleared, for nobody can say what they are to do.
        has_moved = selection.run_on_latest_version and not run.state.is_finished
        # A run that was failed before it began has nothing to clear, and goes on all the same.
        never_began = selection.is_of_whole_runs and run.state.is_finished and not instances
        if dry_run or not (chosen or has_moved or never_began):
            continue
        chosen += _below_that_waits(graph, chosen, instances)
        chosen += [one for one in instances if not is_fit(graph, one) and one.state in UNDER_WAY]
        events = [(one, Cleared(_retries(graph, one.task_id))) for one in chosen]
        after = {one.key: one for one in await write.apply(tx, events, now) if isinstance(one, TaskInstance)}
        await xcoms.forget(tx, list(after))
        if run.state.is_finished and selection.reset_dag_runs:
            (run,) = await write.apply_to_runs(tx, [(run, RunEvent.CLEARED)], now)
            await callbacks.unwant(tx, run.key)
        current = [after.get(one.key, one) for one in instances]
        changed_runs.append(await restart.rebalance(tx, run, graph, current, told=()))
    return changed_runs, cleared


async def _move_to_latest(tx: Transaction, graphs: Graphs, dag_id: DagId, runs: list[DagRun]) -> list[DagRun]:
    """Pin the runs to the DAG's current version, with an instance of each task that it has and the old one had not.

    Instances of tasks that it no longer has are cleared where they are under way; the advancer removes them.
    """
    current = await latest(tx, graphs, dag_id)
    moved = [replace(run, dag_version=current.version, bundle=current.bundle) for run in runs]
    await restart.repin(tx, moved)
    for run in moved:
        begun, _ = await advance.tasks_begun(tx, run.key)
        if begun:
            await create.create_instances(tx, run, current.graph, create.missing(run, current.graph, begun))
    return moved


def _retries(graph: Graph, task_id: TaskId) -> int:
    return graph.tasks[task_id].retry.retries if task_id in graph.tasks else 0


def _choose(graph: Graph, selection: ClearSelection, instances: Sequence[TaskInstance]) -> list[TaskInstance]:
    wanted = _tasks(graph, selection)
    chosen = [one for one in instances if one.task_id in wanted and one.state not in UNDECIDED]
    chosen = [one for one in chosen if one.map_index in selection.map_indexes.get(one.task_id, (one.map_index,))]
    if selection.only_failed:
        chosen = [one for one in chosen if one.state in FAILED]
    if selection.only_running:
        chosen = [one for one in chosen if one.state is TaskState.RUNNING]
    return chosen


def _below_that_waits(
    graph: Graph, chosen: Sequence[TaskInstance], instances: Sequence[TaskInstance]
) -> list[TaskInstance]:
    """Return what is below the chosen and about to start: it must wait for them again."""
    below = graph.descendants(one.task_id for one in chosen)
    keys = {one.key for one in chosen}
    return [one for one in instances if one.task_id in below and one.state in ABOUT_TO_START and one.key not in keys]


def _tasks(graph: Graph, selection: ClearSelection) -> set[TaskId]:
    if selection.task_ids is None:
        return set(graph.tasks)
    unknown = [task_id for task_id in selection.task_ids if task_id not in graph.tasks]
    if unknown:
        raise InvalidInput(f"DAG {graph.dag.dag_id!r} has no task {', '.join(sorted(unknown))}")
    tasks = set(selection.task_ids)
    above = graph.ancestors(tasks) if selection.include_upstream else set()
    below = graph.descendants(tasks) if selection.include_downstream else set()
    wanted = tasks | above | below
    return wanted | along_with(wanted, graph.tasks, graph.downstream)
