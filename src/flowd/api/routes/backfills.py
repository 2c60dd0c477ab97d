"""Backfills: ask for one, look what it would do, hold it up, call it off."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from flowd.actions.backfill import cancel_backfill, create_backfill, dry_run_backfill, pause_backfill
from flowd.api.context import ApiContext, Caller, Context
from flowd.api.dag_access import check_dag
from flowd.api.guard import ApiRoute
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.schemas.backfills import (
    BackfillCollectionResponse,
    BackfillPostBody,
    BackfillResponse,
    DryRunBackfillCollectionResponse,
    DryRunBackfillResponse,
)
from flowd.db.views.backfills import BACKFILLS, counts_of, get_backfill, list_backfills
from flowd.db.views.listing import Listing
from flowd.domain.dag_access import TRIGGER
from flowd.domain.ids import BackfillKey

router = APIRouter(prefix="/api/v2/backfills", route_class=ApiRoute, tags=["Backfill"])

BackfillId = Annotated[int, Path(ge=0, lt=2**31)]


@router.get("", openapi_extra=parameters_of(BACKFILLS))
async def get_backfills(
    context: Context,
    listing: Annotated[Listing, Depends(listing_of(BACKFILLS))],
    dag_id: str | None = None,
) -> BackfillCollectionResponse:
    """List the backfills of a DAG; without one, unlike Airflow's, of all."""
    async with context.backends.metastore.reading() as tx:
        found, total = await list_backfills(tx, context.cards, listing)
    return BackfillCollectionResponse(backfills=[BackfillResponse.of(one) for one in found], total_entries=total)


@router.post("")
async def post_backfill(context: Context, caller: Caller, body: BackfillPostBody) -> BackfillResponse:
    """Make a backfill; a scheduler makes its runs."""
    await check_dag(context, body.dag_id, TRIGGER)
    made = await create_backfill(context.backends, body.request(), user=caller.username)
    return await _shown(context, made.key)


@router.post("/dry_run")
async def dry_run(context: Context, body: BackfillPostBody) -> DryRunBackfillCollectionResponse:
    """List the dates for which a backfill would make or rerun a run now."""
    await check_dag(context, body.dag_id, TRIGGER)
    dates = await dry_run_backfill(context.backends, body.request())
    shapes = [DryRunBackfillResponse(logical_date=date) for date in dates]
    return DryRunBackfillCollectionResponse(backfills=shapes, total_entries=len(shapes))


@router.get("/{backfill_id}")
async def get_one_backfill(context: Context, backfill_id: BackfillId) -> BackfillResponse:
    """Return a backfill."""
    return await _shown(context, BackfillKey(backfill_id))


@router.put("/{backfill_id}/pause")
async def pause(context: Context, backfill_id: BackfillId) -> BackfillResponse:
    """Keep a backfill's queued runs from starting."""
    await _check(context, backfill_id)
    paused = await pause_backfill(context.backends, BackfillKey(backfill_id), True)
    return await _shown(context, paused.key)


@router.put("/{backfill_id}/unpause")
async def unpause(context: Context, backfill_id: BackfillId) -> BackfillResponse:
    """Let a backfill's queued runs start again."""
    await _check(context, backfill_id)
    resumed = await pause_backfill(context.backends, BackfillKey(backfill_id), False)
    return await _shown(context, resumed.key)


@router.put("/{backfill_id}/cancel")
async def cancel(context: Context, backfill_id: BackfillId) -> BackfillResponse:
    """End a backfill: its queued runs are failed, those that run go on."""
    await _check(context, backfill_id)
    cancelled = await cancel_backfill(context.backends, BackfillKey(backfill_id))
    return await _shown(context, cancelled.key)


async def _check(context: ApiContext, backfill_id: int) -> None:
    """Raise NotFound for a backfill that there is not or may not be seen, Unauthorised for one not to be changed."""
    async with context.backends.metastore.reading() as tx:
        dag_id = (await get_backfill(tx, context.cards, BackfillKey(backfill_id))).backfill.request.dag_id
    await check_dag(context, dag_id, TRIGGER)


async def _shown(context: ApiContext, key: BackfillKey) -> BackfillResponse:
    async with context.backends.metastore.reading() as tx:
        return BackfillResponse.of(await get_backfill(tx, context.cards, key), await counts_of(tx, key))
