"""Changing task instances: letting them run again, and saying how they ended."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter

from flowd.actions.clear_tasks import ClearSelection, clear_tasks
from flowd.actions.mark import mark_tasks
from flowd.api.access import ApiRoute
from flowd.api.context import ApiContext, Context
from flowd.api.routes.task_instances import TASK, collection
from flowd.api.schemas.task_instances import (
    ClearTaskInstancesBody,
    PatchTaskInstanceBody,
    TaskInstanceCollectionResponse,
)
from flowd.api.storable import WholeNumber
from flowd.db.views.listing import Bounded, Comparison, Condition, Listing, OneOf
from flowd.db.views.runs import get_run
from flowd.db.views.task_instances import InstanceView, instances_by_key, list_instances
from flowd.domain.errors import Conflict, InvalidInput, NotFound
from flowd.domain.ids import DagId, InstanceKey, RunId, TaskId
from flowd.domain.states import TaskState

router = APIRouter(prefix="/api/v2/dags/{dag_id}", route_class=ApiRoute, tags=["Task Instance"])


@router.post("/clearTaskInstances")
async def clear_task_instances(
    context: Context, dag_id: str, body: ClearTaskInstancesBody
) -> TaskInstanceCollectionResponse:
    """Let task instances run again, and return them; a dry run, the default, only returns them."""
    selection = ClearSelection(
        dag_id=DagId(dag_id),
        run_id=RunId(body.dag_run_id) if body.dag_run_id is not None else None,
        task_ids=None if body.task_ids is None else [_task_of(one)[0] for one in body.task_ids],
        map_indexes=_map_indexes(body.task_ids or ()),
        start_date=body.start_date,
        end_date=body.end_date,
        include_upstream=body.include_upstream,
        include_downstream=body.include_downstream,
        include_past=body.include_past,
        include_future=body.include_future,
        only_failed=body.only_failed,
        only_running=body.only_running,
        reset_dag_runs=body.reset_dag_runs,
        run_on_latest_version=bool(body.run_on_latest_version),
    )
    if body.prevent_running_task:
        await _refuse_running(context, await clear_tasks(context.backends, selection, dry_run=True))
    return await _by_key(context, await clear_tasks(context.backends, selection, dry_run=body.dry_run))


@router.patch(TASK)
async def patch_task_instance(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    body: PatchTaskInstanceBody,
    map_index: WholeNumber | None = None,
) -> TaskInstanceCollectionResponse:
    """Say how a task instance ended, and others with it, and return them."""
    chosen = await _chosen(context, dag_id, dag_run_id, task_id, map_index, body)
    by_run: dict[str, list[tuple[TaskId, int]]] = defaultdict(list)
    for one in chosen:
        by_run[one.run_id].append((TaskId(one.task_id), one.map_index))
    for run_id, tasks in by_run.items():
        await mark_tasks(context.backends, DagId(dag_id), RunId(run_id), tasks, TaskState(body.new_state.value))
    return await _by_key(context, [InstanceKey(one.key) for one in chosen])


@router.patch(f"{TASK}/dry_run")
async def patch_task_instance_dry_run(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    body: PatchTaskInstanceBody,
    map_index: WholeNumber | None = None,
) -> TaskInstanceCollectionResponse:
    """Return the task instances that the same patch would change."""
    chosen = await _chosen(context, dag_id, dag_run_id, task_id, map_index, body)
    return collection(chosen, len(chosen))


@router.patch(f"{TASK}/{{map_index}}")
async def patch_mapped_task_instance(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber, body: PatchTaskInstanceBody
) -> TaskInstanceCollectionResponse:
    """Say how a mapped task instance ended."""
    return await patch_task_instance(context, dag_id, dag_run_id, task_id, body, map_index)


@router.patch(f"{TASK}/{{map_index}}/dry_run")
async def patch_mapped_dry_run(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber, body: PatchTaskInstanceBody
) -> TaskInstanceCollectionResponse:
    """Return the task instances that the same patch would change."""
    return await patch_task_instance_dry_run(context, dag_id, dag_run_id, task_id, body, map_index)


def _map_indexes(named: Iterable[str | list[Any]]) -> dict[TaskId, set[int]]:
    """Return the map indexes that are named of each task, of which not the whole is named too."""
    found: dict[TaskId, set[int]] = defaultdict(set)
    tasks = [_task_of(one) for one in named]
    whole = {task_id for task_id, map_index in tasks if map_index is None}
    for task_id, map_index in tasks:
        if map_index is not None and task_id not in whole:
            found[task_id].add(map_index)
    return dict(found)


def _task_of(named: str | list[Any]) -> tuple[TaskId, int | None]:
    """Return a task, or one map index of it where it is named by a pair."""
    match named:
        case str():
            return TaskId(named), None
        case [str(task_id), int(map_index)]:
            return TaskId(task_id), map_index
        case _:
            raise InvalidInput(f"task_ids holds {named!r}; wanted a task id, or a pair of a task id and a map index")


async def _by_key(context: ApiContext, keys: list[InstanceKey]) -> TaskInstanceCollectionResponse:
    async with context.backends.metastore.reading() as tx:
        instances = await instances_by_key(tx, context.cards, keys)
    return collection(instances, len(instances))


async def _refuse_running(context: ApiContext, keys: list[InstanceKey]) -> None:
    async with context.backends.metastore.reading() as tx:
        instances = await instances_by_key(tx, context.cards, keys)
    running = sorted({one.task_id for one in instances if one.state is TaskState.RUNNING})
    if running:
        raise Conflict(f"these tasks are running, and prevent_running_task is true: {', '.join(running)}")


async def _chosen(
    context: ApiContext,
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: WholeNumber | None,
    body: PatchTaskInstanceBody,
) -> list[InstanceView]:
    async with context.backends.metastore.reading() as tx:
        run = await get_run(tx, context.cards, dag_id, run_id)
        graph = (await context.backends.graphs.get(tx, [run.version.key]))[run.version.key]
        if task_id not in graph.tasks:
            raise NotFound(f"The Task with ID: `{task_id}` was not found in Dag `{dag_id}`")
        named = {TaskId(task_id)}
        above = graph.ancestors(named) if body.include_upstream else set()
        below = graph.descendants(named) if body.include_downstream else set()
        conditions: list[Condition] = [OneOf("dag_id", (dag_id,)), OneOf("task_id", tuple(named | above | below))]
        if map_index is not None:
            conditions.append(OneOf("map_index", (map_index,)))
        if not (body.include_past or body.include_future):
            conditions.append(OneOf("run_id", (run_id,)))
        if not body.include_future:
            conditions.append(Bounded("run_after", Comparison.LTE, run.run_after))
        if not body.include_past:
            conditions.append(Bounded("run_after", Comparison.GTE, run.run_after))
        found, _ = await list_instances(tx, context.cards, Listing(conditions=tuple(conditions), limit=None))
    if not any(one.run_id == run_id and one.task_id == task_id for one in found):
        raise NotFound(
            f"The Task Instance with dag_id: `{dag_id}`, run_id: `{run_id}` and task_id: `{task_id}` was not found"
        )
    return found
