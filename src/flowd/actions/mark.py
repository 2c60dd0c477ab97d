"""mark_tasks and mark_run: a user says how something ended."""

from collections.abc import Sequence

from flowd.actions.backends import Backends
from flowd.db.graphs import Graphs
from flowd.db.ledger import advance, callbacks, lanes, read, restart, write
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun, RunEvent
from flowd.domain.errors import Conflict, InvalidInput, NotFound
from flowd.domain.ids import DagId, InstanceKey, RunId, TaskId
from flowd.domain.states import RunState, TaskState
from flowd.domain.task_events import CancelRequested, Marked, RunStopped, TaskEvent
from flowd.domain.task_instance import TaskInstance


async def mark_tasks(
    backends: Backends, dag_id: DagId, run_id: RunId, tasks: Sequence[tuple[TaskId, int]], state: TaskState
) -> list[InstanceKey]:
    """Set these instances, by task id and map index, to success, failed or skipped, and return their keys.

    A running one loses its token at once, so that its process is fenced and killed. Their downstreams are judged anew.
    Raises NotFound for an unknown run or instance, InvalidInput for another state.
    """
    if state not in (TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED):
        raise InvalidInput(f"a task instance cannot be marked {state}; wanted success, failed or skipped")

    async def attempt() -> tuple[DagRun, list[InstanceKey]]:
        async with backends.metastore.transaction() as tx:
            run = await _run(tx, dag_id, run_id)
            instances = await restart.instances_of(tx, run.key)
            chosen = _named(run, instances, tasks)
            return run, await _apply(tx, backends.graphs, run, instances, [(one, Marked(state)) for one in chosen])

    run, marked = await backends.metastore.retrying(attempt)
    await backends.queue.ring([run.key])
    return marked


async def cancel_tasks(
    backends: Backends, dag_id: DagId, run_id: RunId, tasks: Sequence[tuple[TaskId, int]]
) -> list[InstanceKey]:
    """Stop these instances for good, and return their keys: they fail, and no retry follows.

    Those that run are first killed by their worker, and stay running until then; the others fail at once. Raises
    NotFound for an unknown run or instance, Conflict where one has ended: then none of them is stopped.
    """

    async def attempt() -> tuple[DagRun, list[InstanceKey]]:
        async with backends.metastore.transaction() as tx:
            run = await _run(tx, dag_id, run_id)
            chosen = _named(run, await restart.instances_of(tx, run.key), tasks)
            for one in chosen:
                if one.state.is_finished:
                    raise Conflict(f"{one.label} has ended ({one.state}): there is nothing to stop")
            await write.apply(tx, [(one, CancelRequested()) for one in chosen], await tx.now())
            return run, [one.key for one in chosen]

    run, cancelled = await backends.metastore.retrying(attempt)
    await backends.queue.ring([run.key])
    return cancelled


async def mark_run(backends: Backends, dag_id: DagId, run_id: RunId, state: RunState) -> DagRun:
    """End a run as success or failed, or put it back to queued, and return it.

    Success makes every unfinished instance a success. Failed makes those that run failed and skips the rest, as in
    Airflow. Queued lets a finished run go on with what it has not finished.
    """

    async def attempt() -> DagRun:
        async with backends.metastore.transaction() as tx:
            run = await _run(tx, dag_id, run_id)
            if run.state.is_finished and not state.is_finished:
                await lanes.leave_ended_backfills(tx, [run])
            await stop_instances(tx, backends.graphs, run, state)
            (run,) = await write.apply_to_runs(tx, [(run, _RUN_EVENTS[state])], await tx.now())
            if not state.is_finished:
                await callbacks.unwant(tx, run.key)
            return run

    if state not in _RUN_EVENTS:
        raise InvalidInput(f"a run cannot be marked {state}; wanted success, failed or queued")
    run = await backends.metastore.retrying(attempt)
    await backends.queue.ring([run.key])
    return run


async def stop_instances(tx: Transaction, graphs: Graphs, run: DagRun, state: RunState) -> None:
    """End whatever has not ended in a locked run that ends in this state; where that is none, nothing ends."""
    instances = await restart.instances_of(tx, run.key)
    events: list[tuple[TaskInstance, TaskEvent]] = [
        (one, RunStopped(_stopped_as(one, state)))
        for one in instances
        if state.is_finished and not one.state.is_finished
    ]
    await _apply(tx, graphs, run, instances, events)


_RUN_EVENTS = {
    RunState.SUCCESS: RunEvent.MARKED_SUCCESS,
    RunState.FAILED: RunEvent.MARKED_FAILED,
    RunState.QUEUED: RunEvent.CLEARED,
}


def _stopped_as(instance: TaskInstance, state: RunState) -> TaskState:
    if state is RunState.SUCCESS:
        return TaskState.SUCCESS
    return TaskState.FAILED if instance.state is TaskState.RUNNING else TaskState.SKIPPED


async def _apply(
    tx: Transaction,
    graphs: Graphs,
    run: DagRun,
    instances: Sequence[TaskInstance],
    events: Sequence[tuple[TaskInstance, TaskEvent]],
) -> list[InstanceKey]:
    answers = await write.apply(tx, events, await tx.now())
    changed = {one.key: one for one in answers if isinstance(one, TaskInstance)}
    graph = (await graphs.get(tx, [run.dag_version]))[run.dag_version]
    current = [changed.get(one.key, one) for one in instances]
    await restart.rebalance(tx, run, graph, current, told=list(changed))
    return list(changed)


async def _run(tx: Transaction, dag_id: DagId, run_id: RunId) -> DagRun:
    key = await advance.key_of(tx, dag_id, run_id)
    if key is None:
        raise NotFound(f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found")
    (run,) = await read.runs(tx, [key])
    return run


def _named(run: DagRun, instances: Sequence[TaskInstance], tasks: Sequence[tuple[TaskId, int]]) -> list[TaskInstance]:
    by_name = {(one.task_id, one.map_index): one for one in instances}
    for task_id, map_index in tasks:
        if (task_id, map_index) not in by_name:
            raise NotFound(
                f"The Task Instance with dag_id: `{run.dag_id}`, run_id: `{run.run_id}`, task_id: `{task_id}`"
                f" and map_index: `{map_index}` was not found"
            )
    return [by_name[name] for name in tasks]
