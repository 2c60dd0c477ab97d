"""Assets, their aliases and events, and what is queued for DAGs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from flowd.actions.asset_changes import create_asset_event, forget_queued, maker_of, materialize_asset
from flowd.api.context import ApiContext, Caller, Context
from flowd.api.dag_access import check_dag, is_permitted
from flowd.api.guard import ApiRoute
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.routes.dag_runs import interval_of
from flowd.api.schemas.assets import (
    AssetAliasCollectionResponse,
    AssetAliasResponse,
    AssetCollectionResponse,
    AssetEventCollectionResponse,
    AssetEventResponse,
    AssetResponse,
    CreateAssetEventBody,
    MaterializeAssetBody,
    QueuedEventCollectionResponse,
    QueuedEventResponse,
)
from flowd.api.schemas.base import Moment
from flowd.api.schemas.runs import DagRunResponse
from flowd.api.storable import WholeNumber
from flowd.db.views.asset_events import ASSET_EVENTS, events_of_run, get_event, list_events, list_queued
from flowd.db.views.assets import ALIASES, ASSETS, get_alias, get_asset, list_aliases, list_assets
from flowd.db.views.listing import Listing
from flowd.db.views.runs import get_run
from flowd.domain.dag_access import EDIT, TRIGGER
from flowd.domain.errors import NotFound
from flowd.domain.ids import DagId, RunId

router = APIRouter(prefix="/api/v2", route_class=ApiRoute, tags=["Asset"])


@router.get("/assets", openapi_extra=parameters_of(ASSETS))
async def get_assets(
    context: Context,
    listing: Annotated[Listing, Depends(listing_of(ASSETS))],
    only_active: bool = True,
    dag_ids: Annotated[list[str] | None, Query()] = None,
) -> AssetCollectionResponse:
    """List assets, by default those that a DAG in service uses."""
    async with context.backends.metastore.reading() as tx:
        assets, total = await list_assets(tx, listing, only_active=only_active, dag_ids=dag_ids or ())
    return AssetCollectionResponse(assets=[AssetResponse.of(asset) for asset in assets], total_entries=total)


@router.get("/assets/aliases", openapi_extra=parameters_of(ALIASES))
async def get_asset_aliases(
    context: Context, listing: Annotated[Listing, Depends(listing_of(ALIASES))]
) -> AssetAliasCollectionResponse:
    """List the aliases of assets."""
    async with context.backends.metastore.reading() as tx:
        aliases, total = await list_aliases(tx, listing)
    shapes = [AssetAliasResponse.of(alias) for alias in aliases]
    return AssetAliasCollectionResponse(asset_aliases=shapes, total_entries=total)


@router.get("/assets/aliases/{asset_alias_id}")
async def get_asset_alias(context: Context, asset_alias_id: WholeNumber) -> AssetAliasResponse:
    """Return an alias."""
    async with context.backends.metastore.reading() as tx:
        return AssetAliasResponse.of(await get_alias(tx, asset_alias_id))


@router.get("/assets/events", openapi_extra=parameters_of(ASSET_EVENTS))
async def get_asset_events(
    context: Context, listing: Annotated[Listing, Depends(listing_of(ASSET_EVENTS))]
) -> AssetEventCollectionResponse:
    """List the events of assets, each with the runs that it has set off."""
    async with context.backends.metastore.reading() as tx:
        return AssetEventCollectionResponse.of(*await list_events(tx, listing))


@router.post("/assets/events")
async def post_asset_event(context: Context, body: CreateAssetEventBody) -> AssetEventResponse:
    """Say that an asset has changed: DAGs that are scheduled by it run."""
    # As Airflow marks them, so that whoever reads the event can tell it from a task's.
    event = await create_asset_event(
        context.backends, body.asset_id, {**body.extra, "from_rest_api": True}, body.partition_key
    )
    async with context.backends.metastore.reading() as tx:
        return AssetEventResponse.of(await get_event(tx, event))


@router.get("/assets/{asset_id}")
async def get_one_asset(context: Context, asset_id: WholeNumber) -> AssetResponse:
    """Return an asset."""
    async with context.backends.metastore.reading() as tx:
        return AssetResponse.of(await get_asset(tx, asset_id))


@router.post("/assets/{asset_id}/materialize")
async def post_materialize_asset(
    context: Context, caller: Caller, asset_id: WholeNumber, body: MaterializeAssetBody | None = None
) -> DagRunResponse:
    """Make a run of the DAG that has a task with this outlet."""
    said = body or MaterializeAssetBody()
    await check_dag(context, await maker_of(context.backends, asset_id), TRIGGER)
    run = await materialize_asset(
        context.backends,
        asset_id,
        run_id=RunId(said.dag_run_id) if said.dag_run_id is not None else None,
        logical_date=said.logical_date,
        data_interval=interval_of(said.data_interval_start, said.data_interval_end),
        run_after=said.run_after,
        conf=said.conf,
        note=said.note,
        partition_key=said.partition_key,
        user=caller.username,
    )
    async with context.backends.metastore.reading() as tx:
        return DagRunResponse.of(await get_run(tx, context.cards, run.dag_id, run.run_id))


@router.get("/assets/{asset_id}/queuedEvents")
async def get_asset_queued_events(
    context: Context, asset_id: WholeNumber, before: Moment | None = None
) -> QueuedEventCollectionResponse:
    """List for which DAGs events of an asset are queued."""
    return await _queued(context, asset_id=asset_id, before=before)


@router.delete("/assets/{asset_id}/queuedEvents", status_code=204)
async def delete_asset_queued_events(context: Context, asset_id: WholeNumber, before: Moment | None = None) -> None:
    """Forget what is queued of an asset, for the DAGs that the caller may edit."""
    queued = [DagId(one.dag_id) for one in (await _queued(context, asset_id=asset_id, before=before)).queued_events]
    permitted = [dag_id for dag_id in queued if await is_permitted(context, dag_id, EDIT)]
    if not permitted:
        raise NotFound(f"Queue event with asset_id: `{asset_id}` was not found")
    for dag_id in permitted:
        await forget_queued(context.backends, dag_id=dag_id, asset=asset_id, before=before)


@router.get("/dags/{dag_id}/assets/queuedEvents")
async def get_dag_asset_queued_events(
    context: Context, dag_id: str, before: Moment | None = None
) -> QueuedEventCollectionResponse:
    """List of which assets events are queued for a DAG."""
    return await _queued(context, dag_id=dag_id, before=before)


@router.delete("/dags/{dag_id}/assets/queuedEvents", status_code=204)
async def delete_dag_asset_queued_events(context: Context, dag_id: str, before: Moment | None = None) -> None:
    """Forget what is queued for a DAG."""
    await forget_queued(context.backends, dag_id=DagId(dag_id), before=before)


@router.get("/dags/{dag_id}/assets/{asset_id}/queuedEvents")
async def get_dag_asset_queued_event(
    context: Context, dag_id: str, asset_id: WholeNumber, before: Moment | None = None
) -> QueuedEventResponse:
    """Return since when events of an asset are queued for a DAG."""
    found = (await _queued(context, dag_id=dag_id, asset_id=asset_id, before=before)).queued_events
    if not found:
        raise NotFound(f"Queued event with dag_id: `{dag_id}` and asset_id: `{asset_id}` was not found")
    return found[0]


@router.delete("/dags/{dag_id}/assets/{asset_id}/queuedEvents", status_code=204)
async def delete_dag_asset_queued_event(
    context: Context, dag_id: str, asset_id: WholeNumber, before: Moment | None = None
) -> None:
    """Forget what is queued of an asset for a DAG."""
    await forget_queued(context.backends, dag_id=DagId(dag_id), asset=asset_id, before=before)


@router.get("/dags/{dag_id}/dagRuns/{dag_run_id}/upstreamAssetEvents")
async def get_upstream_asset_events(context: Context, dag_id: str, dag_run_id: str) -> AssetEventCollectionResponse:
    """List the events that a run is about, the oldest first."""
    async with context.backends.metastore.reading() as tx:
        await get_run(tx, context.cards, dag_id, dag_run_id)
        events = await events_of_run(tx, DagId(dag_id), RunId(dag_run_id))
    return AssetEventCollectionResponse.of(events, len(events))


async def _queued(
    context: ApiContext, *, dag_id: str | None = None, asset_id: int | None = None, before: Moment | None = None
) -> QueuedEventCollectionResponse:
    async with context.backends.metastore.reading() as tx:
        found = await list_queued(tx, context.cards, dag_id=dag_id, asset_id=asset_id, before=before)
    return QueuedEventCollectionResponse(
        queued_events=[QueuedEventResponse.of(one) for one in found], total_entries=len(found)
    )
