"""Task instances: lists, their tries, and why they wait."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from flowd.actions.why import why
from flowd.api.context import ApiContext, Context
from flowd.api.guard import ApiRoute
from flowd.api.pagination import bounds, listing_of, order_of, parameters_of
from flowd.api.routes.dag_runs import check_wildcard
from flowd.api.schemas.task_instances import (
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
from flowd.api.storable import WholeNumber
from flowd.db.transaction import Transaction
from flowd.db.views.listing import EVERYTHING, MOST_ROWS, Bounded, Comparison, Condition, Listing, OneOf
from flowd.db.views.runs import get_run
from flowd.db.views.task_instances import (
    INSTANCES,
    InstanceView,
    get_instance,
    list_instances,
    list_instances_at,
)
from flowd.db.views.tries import get_try, tries_of
from flowd.db.views.versions import get_version
from flowd.domain.errors import InvalidInput, NotFound
from flowd.domain.ids import UNMAPPED, DagId, RunId, TaskId
from flowd.domain.states import TaskState
from flowd.domain.task_groups import tasks_by_group

router = APIRouter(prefix="/api/v2/dags/{dag_id}", route_class=ApiRoute, tags=["Task Instance"])
RUN = "/dagRuns/{dag_run_id}"
TASK = f"{RUN}/taskInstances/{{task_id}}"
_DATES = ("run_after", "logical_date", "start_date", "end_date", "duration")

Wanted = Annotated[Listing, Depends(listing_of(INSTANCES))]
OneExecutor = Annotated[list[str] | None, Query(description="Accepted and ignored: there is one executor.")]


@router.get(f"{RUN}/taskInstances", openapi_extra=parameters_of(INSTANCES))
async def get_task_instances(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    listing: Wanted,
    cursor: str | None = None,
    task_group_id: str | None = None,
    executor: OneExecutor = None,
) -> TaskInstanceCollectionResponse:
    """List the task instances of a run; `~` is every DAG or every run.

    They are paged by offset, or from an empty cursor on by `next_cursor`.
    """
    async with context.backends.metastore.reading() as tx:
        if EVERYTHING not in (dag_id, dag_run_id):
            await get_run(tx, context.cards, dag_id, dag_run_id)
        listing = listing.where(*_within(dag_id, dag_run_id))
        if task_group_id is not None:
            listing = listing.where(OneOf("task_id", await _in_group(tx, context, dag_id, dag_run_id, task_group_id)))
        if cursor is not None:
            return TaskInstanceCollectionResponse.of(await list_instances_at(tx, context.cards, listing, cursor))
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
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    listing: Wanted,
    executor: OneExecutor = None,
) -> TaskInstanceCollectionResponse:
    """List the mapped instances of a task, none before it has expanded; 404 for a task that is not mapped."""
    mapped = (OneOf("task_id", (task_id,)), Bounded("map_index", Comparison.GT, UNMAPPED))
    async with context.backends.metastore.reading() as tx:
        run = await get_run(tx, context.cards, dag_id, dag_run_id)
        graph = (await context.backends.graphs.get(tx, [run.version.key]))[run.version.key]
        of_task = Listing(conditions=(*_within(dag_id, dag_run_id), *mapped), limit=0)
        task = graph.tasks.get(TaskId(task_id))
        # The run may have been moved to a version in which the task is not mapped, or is no more.
        if (task is None or task.expansion is None) and not (await list_instances(tx, context.cards, of_task))[1]:
            raise NotFound(f"Task id {task_id} {'not found' if task is None else 'is not mapped'}")
        return collection(*await list_instances(tx, context.cards, listing.where(*of_task.conditions)))


@router.get(f"{TASK}/dependencies")
async def get_task_instance_dependencies(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber = UNMAPPED
) -> TaskDependencyCollectionResponse:
    """Return every reason a task instance is not running now."""
    reasons = await why(context.backends, DagId(dag_id), RunId(dag_run_id), TaskId(task_id), map_index)
    return TaskDependencyCollectionResponse(
        dependencies=[TaskDependencyResponse(name="Why it waits", reason=reason) for reason in reasons]
    )


@router.get(f"{TASK}/why")
async def get_why(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber = UNMAPPED
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
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber = UNMAPPED
) -> TaskInstanceHistoryCollectionResponse:
    """List the tries of a task instance."""
    instance = await _instance(context, dag_id, dag_run_id, task_id, map_index)
    async with context.backends.metastore.reading() as tx:
        tries = [TaskInstanceHistoryResponse.of(instance, one) for one in await tries_of(tx, instance)]
    return TaskInstanceHistoryCollectionResponse(task_instances=tries, total_entries=len(tries))


@router.get(f"{TASK}/tries/{{task_try_number}}")
async def get_task_instance_try(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    task_try_number: WholeNumber,
    map_index: WholeNumber = UNMAPPED,
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
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber
) -> TaskInstanceResponse:
    """Return a task instance by its map index."""
    return TaskInstanceResponse.of(await _instance(context, dag_id, dag_run_id, task_id, map_index))


@router.get(f"{TASK}/{{map_index}}/dependencies")
async def get_mapped_dependencies(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber
) -> TaskDependencyCollectionResponse:
    """Return every reason a mapped task instance is not running now."""
    return await get_task_instance_dependencies(context, dag_id, dag_run_id, task_id, map_index)


@router.get(f"{TASK}/{{map_index}}/tries")
async def get_mapped_tries(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber
) -> TaskInstanceHistoryCollectionResponse:
    """List the tries of a mapped task instance."""
    return await get_task_instance_tries(context, dag_id, dag_run_id, task_id, map_index)


@router.get(f"{TASK}/{{map_index}}/tries/{{task_try_number}}")
async def get_mapped_try(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber, task_try_number: WholeNumber
) -> TaskInstanceHistoryResponse:
    """Return one try of a mapped task instance."""
    return await get_task_instance_try(context, dag_id, dag_run_id, task_id, task_try_number, map_index)


def collection(instances: list[InstanceView], total: int) -> TaskInstanceCollectionResponse:
    """Return the shape of a page of instances."""
    shapes = [TaskInstanceResponse.of(one) for one in instances]
    return TaskInstanceCollectionResponse(task_instances=shapes, total_entries=total)


def _within(dag_id: str, run_id: str) -> tuple[Condition, ...]:
    named = {"dag_id": dag_id, "run_id": run_id}
    return tuple(OneOf(name, (value,)) for name, value in named.items() if value != EVERYTHING)


async def _in_group(
    tx: Transaction, context: ApiContext, dag_id: str, run_id: str, group_id: str
) -> tuple[TaskId, ...]:
    """Return the tasks of a group in the version of the run, or where every run is meant in the current one."""
    if dag_id == EVERYTHING:
        raise InvalidInput("task_group_id names a group of one DAG, and the path is ~; wanted a DAG in the path")
    if run_id == EVERYTHING:
        version = await get_version(tx, dag_id)
    else:
        version = (await get_run(tx, context.cards, dag_id, run_id)).version
    graph = (await context.backends.graphs.get(tx, [version.key]))[version.key]
    return tuple(tasks_by_group(graph.dag.presentation).get(group_id, ()))


async def _instance(
    context: ApiContext, dag_id: str, run_id: str, task_id: str, map_index: WholeNumber
) -> InstanceView:
    async with context.backends.metastore.reading() as tx:
        return await get_instance(tx, context.cards, dag_id, run_id, task_id, map_index)
