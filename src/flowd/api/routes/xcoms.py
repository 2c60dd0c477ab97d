"""XComs: what task instances have left for others."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from flowd.actions.leave_xcom import change_xcom, create_xcom, delete_xcom
from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.routes.task_state import instance_key
from flowd.api.schemas.xcoms import (
    XComCollectionResponse,
    XComCreateBody,
    XComResponse,
    XComUpdateBody,
    XComValueResponse,
)
from flowd.api.storable import WholeNumber
from flowd.db.views.dags import DagFilter, dag_ids_of
from flowd.db.views.listing import EVERYTHING, Condition, Listing, OneOf
from flowd.db.views.runs import get_run
from flowd.db.views.xcoms import XCOMS, get_xcom, list_xcoms
from flowd.domain.ids import UNMAPPED

router = APIRouter(
    prefix="/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries",
    route_class=ApiRoute,
    tags=["XCom"],
)


@router.get("", openapi_extra=parameters_of(XCOMS))
async def get_xcom_entries(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    listing: Annotated[Listing, Depends(listing_of(XCOMS))],
    map_index_filter: WholeNumber | None = None,
    dag_display_name_pattern: str | None = None,
    dag_display_name_prefix_pattern: str | None = None,
) -> XComCollectionResponse:
    """List the XComs of a task instance, without their values; `~` is every DAG, run or task."""
    async with context.backends.metastore.reading() as tx:
        if EVERYTHING not in (dag_id, dag_run_id, task_id):
            await get_run(tx, context.cards, dag_id, dag_run_id)
        if map_index_filter is not None:
            listing = listing.where(OneOf("map_index", (map_index_filter,)))
        displayed = DagFilter(display_name=dag_display_name_pattern, display_prefix=dag_display_name_prefix_pattern)
        if displayed.reads_cards:
            listing = listing.where(OneOf("dag_id", tuple(await dag_ids_of(tx, context.cards, displayed))))
        xcoms, total = await list_xcoms(tx, context.cards, listing.where(*_within(dag_id, dag_run_id, task_id)))
    return XComCollectionResponse(xcom_entries=[XComResponse.of(one) for one in xcoms], total_entries=total)


@router.get("/{xcom_key:path}")
async def get_xcom_entry(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    xcom_key: str,
    map_index: WholeNumber = UNMAPPED,
    stringify: bool = False,
    deserialize: Annotated[bool, Query(description="Accepted and ignored: values are JSON.")] = False,
) -> XComValueResponse:
    """Return an XCom with its value, or with `stringify` the value's JSON text."""
    wanted = (OneOf("key", (xcom_key,)), OneOf("map_index", (map_index,)), *_within(dag_id, dag_run_id, task_id))
    async with context.backends.metastore.reading() as tx:
        xcom = await get_xcom(tx, context.cards, Listing(conditions=wanted), xcom_key)
    value = xcom.value
    if stringify and not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return XComValueResponse.of(xcom, value=value)


@router.post("", status_code=201)
async def create_xcom_entry(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, body: XComCreateBody
) -> XComValueResponse:
    """Leave a value in the name of a task instance."""
    instance = await instance_key(context, dag_id, dag_run_id, task_id, body.map_index)
    await create_xcom(context.backends, instance, body.key, body.value)
    return await get_xcom_entry(context, dag_id, dag_run_id, task_id, body.key, body.map_index)


@router.patch("/{xcom_key:path}")
async def update_xcom_entry(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, xcom_key: str, body: XComUpdateBody
) -> XComValueResponse:
    """Put another value in the place of one that a task instance has left."""
    instance = await instance_key(context, dag_id, dag_run_id, task_id, body.map_index)
    await change_xcom(context.backends, instance, xcom_key, body.value)
    return await get_xcom_entry(context, dag_id, dag_run_id, task_id, xcom_key, body.map_index)


@router.delete("/{xcom_key:path}", status_code=204)
async def delete_xcom_entry(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, xcom_key: str, map_index: WholeNumber = UNMAPPED
) -> None:
    """Delete a value that a task instance has left."""
    instance = await instance_key(context, dag_id, dag_run_id, task_id, map_index)
    await delete_xcom(context.backends, instance, xcom_key)


def _within(dag_id: str, run_id: str, task_id: str) -> tuple[Condition, ...]:
    named = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id}
    return tuple(OneOf(name, (value,)) for name, value in named.items() if value != EVERYTHING)
