"""What a task instance keeps for its later tries."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath

from flowd.actions.keep_state import change_of_task, forget_of_task, keep_of_task
from flowd.api.context import ApiContext, Context
from flowd.api.errors import invalid
from flowd.api.guard import ApiRoute
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.schemas.state_stores import (
    LONGEST_KEY,
    TaskStateBody,
    TaskStateCollectionResponse,
    TaskStateResponse,
    ValueBody,
)
from flowd.api.storable import WholeNumber
from flowd.db.views.listing import EVERY_ROW, Listing, OneOf
from flowd.db.views.state_stores import TASK_STATE, list_of_task
from flowd.db.views.task_instances import get_instance, list_instances
from flowd.domain.errors import InvalidInput, NotFound
from flowd.domain.ids import UNMAPPED, InstanceKey

router = APIRouter(
    prefix="/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/state-store",
    route_class=ApiRoute,
    tags=["Task State Store"],
)
Key = Annotated[str, InPath(min_length=1, max_length=LONGEST_KEY)]


async def instance_key(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber = UNMAPPED
) -> InstanceKey:
    """Return the instance that the request is about; raise NotFound."""
    async with context.backends.metastore.reading() as tx:
        found = await get_instance(tx, context.cards, dag_id, dag_run_id, task_id, map_index)
    return InstanceKey(found.key)


Instance = Annotated[InstanceKey, Depends(instance_key)]


@router.get("", openapi_extra=parameters_of(TASK_STATE))
async def list_task_state(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    listing: Annotated[Listing, Depends(listing_of(TASK_STATE))],
    map_index: WholeNumber = UNMAPPED,
) -> TaskStateCollectionResponse:
    """List what a task instance keeps, by key; one that is not there keeps nothing."""
    try:
        instance = await instance_key(context, dag_id, dag_run_id, task_id, map_index)
    except NotFound:
        return TaskStateCollectionResponse(task_state_store=[], total_entries=0)
    async with context.backends.metastore.reading() as tx:
        kept, total = await list_of_task(tx, instance, listing)
    return TaskStateCollectionResponse(
        task_state_store=[TaskStateResponse.of(one) for one in kept], total_entries=total
    )


@router.delete("", status_code=204)
async def clear_task_state(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    map_index: WholeNumber = UNMAPPED,
    all_map_indices: Annotated[bool, Query()] = False,
) -> None:
    """Delete everything that a task instance keeps, or every map index of a task."""
    instances = (
        await _all_of(context, dag_id, dag_run_id, task_id)
        if all_map_indices
        else [await instance_key(context, dag_id, dag_run_id, task_id, map_index)]
    )
    await forget_of_task(context.backends, instances, None)


@router.get("/{key:path}")
async def get_task_state(context: Context, instance: Instance, key: Key) -> TaskStateResponse:
    """Return a value that a task instance keeps."""
    async with context.backends.metastore.reading() as tx:
        kept, _ = await list_of_task(tx, instance, EVERY_ROW.where(OneOf("key", (key,))))
    if not kept:
        raise NotFound(f"Task state store key {key!r} not found")
    return TaskStateResponse.of(kept[0])


@router.put("/{key:path}", status_code=204)
async def set_task_state(context: Context, instance: Instance, key: Key, body: TaskStateBody) -> None:
    """Let a task instance keep a value, in the place of one of this key."""
    expires_at = None if body.expires_at == "default" else body.expires_at
    try:
        await keep_of_task(context.backends, instance, key, body.value, expires_at=expires_at)
    except InvalidInput as error:
        raise invalid(("body", "expires_at"), str(error), str(expires_at)) from error


@router.patch("/{key:path}")
async def patch_task_state(context: Context, instance: Instance, key: Key, body: ValueBody) -> None:
    """Put another value in the place of one that a task instance keeps, for as long as that was to be kept."""
    await change_of_task(context.backends, instance, key, body.value)


@router.delete("/{key:path}", status_code=204)
async def delete_task_state(context: Context, instance: Instance, key: Key) -> None:
    """Delete a value that a task instance keeps; what is not there is no error."""
    await forget_of_task(context.backends, [instance], key)


async def _all_of(context: ApiContext, dag_id: str, run_id: str, task_id: str) -> list[InstanceKey]:
    named = tuple(
        OneOf(name, (value,)) for name, value in (("dag_id", dag_id), ("run_id", run_id), ("task_id", task_id))
    )
    async with context.backends.metastore.reading() as tx:
        found, _ = await list_instances(tx, context.cards, EVERY_ROW.where(*named))
    if not found:
        raise NotFound(
            f"The Task Instance with dag_id: `{dag_id}`, run_id: `{run_id}` and task_id: `{task_id}` was not found"
        )
    return [InstanceKey(one.key) for one in found]
