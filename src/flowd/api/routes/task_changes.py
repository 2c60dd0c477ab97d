"""Letting task instances run again, and stopping those that run or wait."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter

from flowd.actions.clear_tasks import ClearSelection, clear_tasks
from flowd.actions.mark import cancel_tasks
from flowd.api.context import ApiContext, Context
from flowd.api.guard import ApiRoute
from flowd.api.routes.task_instances import TASK, collection
from flowd.api.schemas.task_instances import (
    ClearTaskInstancesBody,
    TaskInstanceCollectionResponse,
    TaskInstanceResponse,
)
from flowd.api.storable import WholeNumber
from flowd.db.ledger.notes import set_task_notes
from flowd.db.views.task_instances import instances_by_key
from flowd.domain.errors import Conflict, InvalidInput
from flowd.domain.ids import UNMAPPED, DagId, InstanceKey, RunId, TaskId
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
    cleared = await clear_tasks(context.backends, selection, dry_run=body.dry_run)
    if body.note is not None and not body.dry_run:
        async with context.backends.metastore.transaction() as tx:
            await set_task_notes(tx, cleared, body.note)
    return await by_key(context, cleared)


@router.post(f"{TASK}/cancel")
async def cancel_task_instance(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber = UNMAPPED
) -> TaskInstanceResponse:
    """Stop a task instance for good: it fails, and no retry follows.

    One that runs is first killed by its worker (SIGTERM, then SIGKILL), and is `running` until then; any other fails at
    once. 409 where it has ended.
    """
    keys = await cancel_tasks(context.backends, DagId(dag_id), RunId(dag_run_id), [(TaskId(task_id), map_index)])
    async with context.backends.metastore.reading() as tx:
        (instance,) = await instances_by_key(tx, context.cards, keys)
    return TaskInstanceResponse.of(instance)


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


async def by_key(context: ApiContext, keys: list[InstanceKey]) -> TaskInstanceCollectionResponse:
    """Return the shape of these instances."""
    async with context.backends.metastore.reading() as tx:
        instances = await instances_by_key(tx, context.cards, keys)
    return collection(instances, len(instances))


async def _refuse_running(context: ApiContext, keys: list[InstanceKey]) -> None:
    async with context.backends.metastore.reading() as tx:
        instances = await instances_by_key(tx, context.cards, keys)
    running = sorted({one.task_id for one in instances if one.state is TaskState.RUNNING})
    if running:
        raise Conflict(f"these tasks are running, and prevent_running_task is true: {', '.join(running)}")
