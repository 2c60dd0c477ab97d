"""why: every reason a task instance is not running now, from the rules that decide it."""

from dataclasses import replace

from flowd.actions.backends import Backends
from flowd.db import backfills, task_queues
from flowd.db.graphs import Graphs
from flowd.db.ledger import advance, dispatch, history, lanes, mapped, read
from flowd.db.transaction import Transaction
from flowd.domain.admission import Candidate, why_not
from flowd.domain.dag_run import DagRun
from flowd.domain.errors import NotFound
from flowd.domain.graph import Graph
from flowd.domain.ids import UNMAPPED, DagId, RunId, TaskId
from flowd.domain.map_length import evaluated, sources_of
from flowd.domain.run_admission import Lane
from flowd.domain.run_plan import counts_of
from flowd.domain.states import RunState, TaskState
from flowd.domain.task_dates import absent_tasks
from flowd.domain.task_spec import TaskSpec
from flowd.domain.trigger_rules import Verdict, evaluate
from flowd.domain.trigger_rules import why as why_waiting


async def why(
    backends: Backends, dag_id: DagId, run_id: RunId, task_id: TaskId, map_index: int = UNMAPPED
) -> list[str]:
    """Return the reasons, the first to be dealt with first; none where it runs or has ended well.

    Raises NotFound where there is no such instance.
    """
    async with backends.metastore.reading() as tx:
        key = await advance.key_of(tx, dag_id, run_id)
        if key is None:
            raise NotFound(f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found")
        run = await read.run(tx, key)
        graph = (await backends.graphs.get(tx, [run.dag_version]))[run.dag_version]
        places = [(key, task_id, index) for index in dict.fromkeys((map_index, UNMAPPED, 0))]
        rows = await advance.standings(tx, places, lock=False)
        row = rows.get((key, task_id, map_index))
        if row is None:
            return await _without_instance(tx, run, graph, task_id, map_index, is_begun=bool(rows))
        if task_id not in graph.groups and (first := rows.get((key, task_id, 0))) is not None:
            row = replace(row, tally=first.tally)
        instance, state = row.instance, row.instance.state
        if state is TaskState.UPSTREAM_FAILED and (absent := _absent_above(run, graph, task_id)):
            return absent
        if state is TaskState.UPSTREAM_FAILED and graph.tasks[task_id].expansion is not None:
            return await _of_length(tx, run, graph, row)
        if state in (TaskState.FAILED, TaskState.SKIPPED):
            return await history.last_words(tx, instance.key)
        if state.is_finished or state is TaskState.RUNNING:
            return []
        reasons = await _of_the_run(tx, run, graph)
        return reasons + await _of_the_state(tx, backends.graphs, run, graph, row)


async def _of_the_state(tx: Transaction, graphs: Graphs, run: DagRun, graph: Graph, row: advance.Row) -> list[str]:
    instance = row.instance
    if instance.task_id not in graph.tasks:
        return ["its run was moved to a version of the DAG without it, and the scheduler will remove it"]
    match instance.state:
        case TaskState.NONE:
            return await _of_upstreams(tx, run, graph, row)
        case TaskState.SCHEDULED:
            return await _of_admission(tx, graphs, run, graph, row)
        case TaskState.QUEUED:
            queue = graph.tasks[instance.task_id].queue
            return [f"try {instance.try_number} is in queue {queue!r} and no worker has claimed it yet"]
        case TaskState.RESTARTING if instance.held_until is not None:
            until = instance.held_until.isoformat()
            return [f"it restarts when its old process is dead: when its worker says so, or at {until}"]
        case state if instance.not_before is not None:
            ended = await history.last_words(tx, instance.key)
            return [*ended, f"it waits ({state}) until {instance.not_before.isoformat()}"]
        case state:
            return [f"it is {state}"]


async def _without_instance(
    tx: Transaction, run: DagRun, graph: Graph, task_id: TaskId, map_index: int, *, is_begun: bool
) -> list[str]:
    """Return why a task has no instance yet; one that has others knows no such map index."""
    if task_id not in graph.tasks:
        raise NotFound(f"The Task with ID: `{task_id}` was not found in Dag `{run.dag_id}`")
    name = f"The Task Instance with dag_id: `{run.dag_id}`, run_id: `{run.run_id}` and task_id: `{task_id}`"
    if map_index != UNMAPPED:
        raise NotFound(f"{name}, map_index: `{map_index}` was not found")
    if is_begun:
        raise NotFound(f"{name} is mapped: add one of its map indexes")
    if task_id in absent_tasks(graph, run):
        return [_absence(run, graph, task_id)]
    return await _of_the_run(tx, run, graph)


def _absent_above(run: DagRun, graph: Graph, task_id: TaskId) -> list[str]:
    absent = absent_tasks(graph, run)
    return [_absence(run, graph, one) for one in sorted(absent & graph.ancestors([task_id]))] if absent else []


def _absence(run: DagRun, graph: Graph, task_id: TaskId) -> str:
    task, date = graph.tasks[task_id], run.logical_date
    is_early = date is not None and task.start_date is not None and date < task.start_date
    bound = f"before its start_date {task.start_date}" if is_early else f"after its end_date {task.end_date}"
    return f"the run is without task {task_id!r}: the logical date {date} is {bound}"


async def _of_the_run(tx: Transaction, run: DagRun, graph: Graph) -> list[str]:
    reasons: list[str] = []
    if await advance.is_paused(tx, run.dag_id):
        reasons.append(f"DAG {run.dag_id!r} is paused; unpause it with: flowd dags unpause {run.dag_id}")
    if run.state is RunState.QUEUED:
        reasons += await _of_the_queued_run(tx, run, graph)
    return reasons


async def _of_the_queued_run(tx: Transaction, run: DagRun, graph: Graph) -> list[str]:
    running = (await lanes.running_by_lane(tx)).get(Lane(run.dag_id, run.backfill), 0)
    limit, whose = graph.dag.max_active_runs, "the DAG"
    if run.backfill is not None:
        backfill = await backfills.get(tx, run.backfill)
        if backfill is not None and backfill.is_paused:
            return [f"its run is queued: backfill {run.backfill} is paused; flowd backfill resume {run.backfill}"]
        limit, whose = backfill.request.max_active_runs if backfill else 0, f"backfill {run.backfill}"
    if run.run_after > await tx.now():
        return [f"its run is queued: it is not to start before {run.run_after.isoformat()}"]
    if limit and running >= limit:
        return [f"its run is queued: {running} runs of {whose} are running, and max_active_runs is {limit}"]
    return ["its run is queued: no scheduler has started it yet"]


async def _of_upstreams(tx: Transaction, run: DagRun, graph: Graph, row: advance.Row) -> list[str]:
    task = graph.tasks[row.instance.task_id]
    if (setups := graph.setups.get(task.task_id)) is not None and setups.indirect:
        states = await advance.states_of(tx, run.key, task_ids=setups.indirect)
        awaited = {setup: state for (setup, _), state in states.items() if not state.is_finished}
        if awaited:
            return [f"it waits for setup {setup!r}, which is {state}" for setup, state in awaited.items()]
    counts = counts_of(task, row.tally)
    if evaluate(task.trigger_rule, counts) is Verdict.WAIT:
        return _absent_above(run, graph, task.task_id) or [why_waiting(task.trigger_rule, counts)]
    sources = await _awaited_sources(tx, run, task)
    if sources:
        return [f"it is mapped over what task {source!r} returns, which has not ended" for source in sources]
    if task.depends_on_past and await advance.previous_run(tx, run) is not None:
        return ["it depends on its past, and the same task of the run before has not succeeded"]
    return ["it is ready, and no scheduler has looked at it yet"]


async def _of_length(tx: Transaction, run: DagRun, graph: Graph, row: advance.Row) -> list[str]:
    """Return why a mapped task is upstream_failed although its trigger rule let it go."""
    task = graph.tasks[row.instance.task_id]
    if task.expansion is None or evaluate(task.trigger_rule, counts_of(task, row.tally)) is not Verdict.READY:
        return []
    lengths: dict[TaskId, int | None] = {}
    for one in await mapped.returned(tx, run.key, sources_of(task.expansion.length)):
        if graph.tasks[one.task_id].expansion is None:
            lengths[one.task_id] = one.length
        else:
            lengths[one.task_id] = (lengths.get(one.task_id) or 0) + one.has_value
    length = evaluated(task.expansion.length, lengths)
    if length is None:
        return ["a task that it is mapped over has returned no list and no dict"]
    return [
        f"its arguments cross to {length} instances, and worker.max_map_length allows fewer: give it less to cross, or"
        " raise the setting"
    ]


async def _awaited_sources(tx: Transaction, run: DagRun, task: TaskSpec) -> list[TaskId]:
    sources = sorted(sources_of(task.expansion.length)) if task.expansion is not None else []
    states = await advance.states_of(tx, run.key, task_ids=sources) if sources else {}
    return sorted({source for (source, _), state in states.items() if not state.is_finished})


async def _of_admission(tx: Transaction, graphs: Graphs, run: DagRun, graph: Graph, row: advance.Row) -> list[str]:
    instance, task = row.instance, graph.tasks[row.instance.task_id]
    occupancy, _ = await dispatch.occupancy(tx, await dispatch.pools(tx))
    await dispatch.count_tasks(tx, occupancy)
    occupancy.paused_queues = await task_queues.paused(tx)
    refusal = why_not(
        Candidate(
            key=instance.key,
            run=instance.run,
            dag_id=instance.dag_id,
            task_id=instance.task_id,
            queue=task.queue,
            pool=task.pool,
            pool_slots=task.pool_slots,
            priority=task.priority,
            scheduled_at=instance.scheduled_at or run.run_after,
            max_active_tasks=graph.dag.max_active_tasks,
            max_active_tis_per_dag=task.max_active_tis_per_dag,
            max_active_tis_per_dagrun=task.max_active_tis_per_dagrun,
        ),
        occupancy,
    )
    return ["it has a place, and the next pass of a scheduler will queue it"] if refusal is None else [str(refusal)]
