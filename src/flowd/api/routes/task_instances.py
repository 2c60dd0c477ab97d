"""Task instances: lists, their tries, why they wait, clearing and marking them."""

from collections import defaultdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from flowd.actions.clear_tasks import ClearSelection, clear_tasks
from flowd.actions.mark import mark_tasks
from flowd.actions.why import why
from flowd.api.access import ApiRoute
from flowd.api.context import ApiContext, Context
from flowd.api.pagination import bounds, listing_of, order_of, parameters_of
from flowd.api.routes.dag_runs import check_wildcard
from flowd.api.schemas.task_instances import (
    ClearTaskInstancesBody,
    PatchTaskInstanceBody,
    TaskDependencyCollectionResponse,
    TaskDependencyResponse,
    TaskInstanceCollectionResponse,
    TaskInstanceHistoryCollectionResponse,
    TaskInstanceHistoryResponse,
    TaskInstanceResponse,
    TaskInstancesBatchBody,
    WhyResponse,
    shown_state,
)
from flowd.db.views.listing import EVERYTHING, MOST_ROWS, Bounded, Comparison, Condition, Listing, OneOf
from flowd.db.views.runs import get_run
from flowd.db.views.task_instances import (
    INSTANCES,
    InstanceView,
    get_instance,
    instances_by_key,
    list_instances,
)
from flowd.db.views.tries import get_try, tries_of
from flowd.domain.errors import Conflict, InvalidInput, NotFound
from flowd.domain.ids import UNMAPPED, DagId, InstanceKey, RunId, TaskId
from flowd.domain.states import TaskState

router = APIRouter(prefix="/api/v2/dags/{dag_id}", route_class=ApiRoute, tags=["Task Instance"])
RUN = "/dagRuns/{dag_run_id}"
TASK = f"{RUN}/taskInstances/{{task_id}}"
_DATES = ("run_after", "logical_date", "start_date", "end_date", "duration")

Wanted = Annotated[Listing, Depends(listing_of(INSTANCES))]


@router.get(f"{RUN}/taskInstances", openapi_extra=parameters_of(INSTANCES))
async def get_task_instances(
    context: Context, dag_id: str, dag_run_id: str, listing: Wanted
) -> TaskInstanceCollectionResponse:
    """List the task instances of a run; `~` is every DAG or every run."""
    async with context.backends.metastore.reading() as tx:
        if EVERYTHING not in (dag_id, dag_run_id):
            await get_run(tx, context.cards, dag_id, dag_run_id)
        listing = listing.where(*_within(dag_id, dag_run_id))
        return collection(*await list_instances(tx, context.cards, listing))


@router.post(f"{RUN}/taskInstances/list")
async def get_task_instances_batch(
    context: Context, dag_id: str, dag_run_id: str, body: TaskInstancesBatchBody
) -> TaskInstanceCollectionResponse:
    """List task instances of several DAGs and runs; the path's DAG and run must be `~`."""
    check_wildcard("dag_id", dag_id)
    check_wildcard("dag_run_id", dag_run_id)
    conditions: list[Condition] = [one for name in _DATES for one in bounds(name, body.model_dump())]
    named: dict[str, list[Any] | None] = {
        "dag_id": body.dag_ids,
        "run_id": body.dag_run_ids,
        "task_id": body.task_ids,
        "pool": body.pool,
        "queue": body.queue,
        "state": None if body.state is None else [state or TaskState.NONE for state in body.state],
    }
    conditions += [OneOf(name, tuple(values)) for name, values in named.items() if values is not None]
    listing = Listing(
        conditions=tuple(conditions),
        order_by=order_of(INSTANCES, [body.order_by] if body.order_by else []),
        limit=min(body.page_limit, MOST_ROWS),
        offset=body.page_offset,
    )
    async with context.backends.metastore.reading() as tx:
        return collection(*await list_instances(tx, context.cards, listing))


@router.get(f"{TASK}/listMapped", openapi_extra=parameters_of(INSTANCES))
async def get_mapped_task_instances(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, listing: Wanted
) -> TaskInstanceCollectionResponse:
    """List the mapped instances of a task."""
    mapped = (OneOf("task_id", (task_id,)), Bounded("map_index", Comparison.GT, UNMAPPED))
    async with context.backends.metastore.reading() as tx:
        await get_run(tx, context.cards, dag_id, dag_run_id)
        return collection(
            *await list_instances(tx, context.cards, listing.where(*_within(dag_id, dag_run_id), *mapped))
        )


@router.get(f"{TASK}/dependencies")
async def get_task_instance_dependencies(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int = UNMAPPED
) -> TaskDependencyCollectionResponse:
    """Return every reason a task instance is not running now."""
    reasons = await why(context.backends, DagId(dag_id), RunId(dag_run_id), TaskId(task_id), map_index)
    return TaskDependencyCollectionResponse(
        dependencies=[TaskDependencyResponse(name="Why it waits", reason=reason) for reason in reasons]
    )


@router.get(f"{TASK}/why")
async def get_why(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int = UNMAPPED
) -> WhyResponse:
    """Return a task instance's state, and every reason why it is not running now."""
    reasons = await why(context.backends, DagId(dag_id), RunId(dag_run_id), TaskId(task_id), map_index)
    try:
        state: TaskState | None = (await _instance(context, dag_id, dag_run_id, task_id, map_index)).state
    except NotFound:
        # The run has not started: `why` knows the task, and there is no instance of it yet.
        state = None
    return WhyResponse(state=shown_state(state), reasons=reasons)


@router.get(f"{TASK}/tries")
async def get_task_instance_tries(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int = UNMAPPED
) -> TaskInstanceHistoryCollectionResponse:
    """List the tries of a task instance."""
    instance = await _instance(context, dag_id, dag_run_id, task_id, map_index)
    async with context.backends.metastore.reading() as tx:
        tries = [TaskInstanceHistoryResponse.of(instance, one) for one in await tries_of(tx, instance)]
    return TaskInstanceHistoryCollectionResponse(task_instances=tries, total_entries=len(tries))


@router.get(f"{TASK}/tries/{{task_try_number}}")
async def get_task_instance_try(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, task_try_number: int, map_index: int = UNMAPPED
) -> TaskInstanceHistoryResponse:
    """Return one try of a task instance."""
    instance = await _instance(context, dag_id, dag_run_id, task_id, map_index)
    async with context.backends.metastore.reading() as tx:
        return TaskInstanceHistoryResponse.of(instance, await get_try(tx, instance, task_try_number))


@router.get(TASK)
async def get_task_instance(context: Context, dag_id: str, dag_run_id: str, task_id: str) -> TaskInstanceResponse:
    """Return a task instance that is not mapped."""
    return TaskInstanceResponse.of(await _instance(context, dag_id, dag_run_id, task_id, UNMAPPED))


@router.get(f"{TASK}/{{map_index}}")
async def get_mapped_task_instance(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int
) -> TaskInstanceResponse:
    """Return a task instance by its map index."""
    return TaskInstanceResponse.of(await _instance(context, dag_id, dag_run_id, task_id, map_index))


@router.get(f"{TASK}/{{map_index}}/dependencies")
async def get_mapped_dependencies(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int
) -> TaskDependencyCollectionResponse:
    """Return every reason a mapped task instance is not running now."""
    return await get_task_instance_dependencies(context, dag_id, dag_run_id, task_id, map_index)


@router.get(f"{TASK}/{{map_index}}/tries")
async def get_mapped_tries(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int
) -> TaskInstanceHistoryCollectionResponse:
    """List the tries of a mapped task instance."""
    return await get_task_instance_tries(context, dag_id, dag_run_id, task_id, map_index)


@router.get(f"{TASK}/{{map_index}}/tries/{{task_try_number}}")
async def get_mapped_try(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int, task_try_number: int
) -> TaskInstanceHistoryResponse:
    """Return one try of a mapped task instance."""
    return await get_task_instance_try(context, dag_id, dag_run_id, task_id, task_try_number, map_index)


@router.post("/clearTaskInstances")
async def clear_task_instances(
    context: Context, dag_id: str, body: ClearTaskInstancesBody
) -> TaskInstanceCollectionResponse:
    """Let task instances run again, and return them; a dry run, the default, only returns them."""
    selection = ClearSelection(
        dag_id=DagId(dag_id),
        run_id=RunId(body.dag_run_id) if body.dag_run_id is not None else None,
        task_ids=None if body.task_ids is None else [TaskId(_task_id(one)) for one in body.task_ids],
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
    map_index: Annotated[int | None, Query()] = None,
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
    map_index: Annotated[int | None, Query()] = None,
) -> TaskInstanceCollectionResponse:
    """Return the task instances that the same patch would change."""
    chosen = await _chosen(context, dag_id, dag_run_id, task_id, map_index, body)
    return collection(chosen, len(chosen))


@router.patch(f"{TASK}/{{map_index}}")
async def patch_mapped_task_instance(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int, body: PatchTaskInstanceBody
) -> TaskInstanceCollectionResponse:
    """Say how a mapped task instance ended."""
    return await patch_task_instance(context, dag_id, dag_run_id, task_id, body, map_index)


@router.patch(f"{TASK}/{{map_index}}/dry_run")
async def patch_mapped_dry_run(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int, body: PatchTaskInstanceBody
) -> TaskInstanceCollectionResponse:
    """Return the task instances that the same patch would change."""
    return await patch_task_instance_dry_run(context, dag_id, dag_run_id, task_id, body, map_index)


def collection(instances: list[InstanceView], total: int) -> TaskInstanceCollectionResponse:
    """Return the shape of a page of instances."""
    shapes = [TaskInstanceResponse.of(one) for one in instances]
    return TaskInstanceCollectionResponse(task_instances=shapes, total_entries=total)


def _within(dag_id: str, run_id: str) -> tuple[Condition, ...]:
    named = {"dag_id": dag_id, "run_id": run_id}
    return tuple(OneOf(name, (value,)) for name, value in named.items() if value != EVERYTHING)


def _task_id(named: str | list[Any]) -> str:
    """A task id, or a pair of one and a map index: mapped instances are cleared together."""
    match named:
        case str() | [str(), int()]:
            return named if isinstance(named, str) else named[0]
        case _:
            raise InvalidInput(f"task_ids holds {named!r}; wanted a task id, or a pair of a task id and a map index")


async def _instance(context: ApiContext, dag_id: str, run_id: str, task_id: str, map_index: int) -> InstanceView:
    async with context.backends.metastore.reading() as tx:
        return await get_instance(tx, context.cards, dag_id, run_id, task_id, map_index)


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
    context: ApiContext, dag_id: str, run_id: str, task_id: str, map_index: int | None, body: PatchTaskInstanceBody
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
