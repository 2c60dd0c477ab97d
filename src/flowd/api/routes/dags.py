"""DAGs: lists, details, pausing, their tags and the counts of their runs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from flowd.actions.pause_dag import set_paused
from flowd.api.access import ApiRoute
from flowd.api.context import Context
from flowd.api.errors import invalid
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.schemas.dags import (
    DagCollectionResponse,
    DagDetailsResponse,
    DagPatchBody,
    DagResponse,
    DagStatsCollectionResponse,
    DagStatsResponse,
    DagStatsStateResponse,
    DagTagCollectionResponse,
)
from flowd.db.views.dags import DAGS, DagFilter, DagView, active_runs_of, get_dag, list_dags, list_tags
from flowd.db.views.listing import EVERYTHING, MOST_ROWS, Listing, OneOf
from flowd.db.views.runs import counts_by_dag
from flowd.domain.errors import InvalidInput
from flowd.domain.ids import DagId
from flowd.domain.states import RunState

router = APIRouter(prefix="/api/v2", route_class=ApiRoute, tags=["DAG"])
_TAG_MODES = ("any", "all")


def dag_filter(
    tags: Annotated[list[str] | None, Query()] = None,
    tags_match_mode: str = "any",
    owners: Annotated[list[str] | None, Query()] = None,
    dag_display_name_pattern: str | None = None,
    timetable_type: Annotated[list[str] | None, Query()] = None,
    dag_run_state: Annotated[list[RunState] | None, Query()] = None,
) -> DagFilter:
    """Return the filters of a list of DAGs that are not fields of it."""
    if tags_match_mode not in _TAG_MODES:
        raise invalid(("query", "tags_match_mode"), "Input should be 'any' or 'all'", tags_match_mode, "literal_error")
    return DagFilter(
        tags=tuple(tags or ()),
        are_all_tags_wanted=tags_match_mode == "all",
        owners=tuple(owners or ()),
        display_name=dag_display_name_pattern,
        timetable_types=tuple(timetable_type or ()),
        run_states=tuple(dag_run_state or ()),
    )


def dag_listing(listing: Annotated[Listing, Depends(listing_of(DAGS))], exclude_stale: bool = True) -> Listing:
    """Return the listing, less DAGs whose file is gone unless they are asked for."""
    return listing.where(OneOf("is_active", (True,))) if exclude_stale else listing


Wanted = Annotated[Listing, Depends(dag_listing)]
Filter = Annotated[DagFilter, Depends(dag_filter)]


@router.get("/dags", openapi_extra=parameters_of(DAGS))
async def get_dags(context: Context, listing: Wanted, wanted: Filter) -> DagCollectionResponse:
    """List DAGs."""
    async with context.backends.metastore.reading() as tx:
        return _collection(*await list_dags(tx, context.cards, listing, wanted))


@router.patch("/dags", openapi_extra=parameters_of(DAGS))
async def patch_dags(
    context: Context,
    body: DagPatchBody,
    listing: Wanted,
    wanted: Filter,
    update_mask: Annotated[list[str] | None, Query()] = None,
) -> DagCollectionResponse:
    """Pause or unpause every DAG of the page that the filters select."""
    _check_mask(update_mask)
    async with context.backends.metastore.reading() as tx:
        dags, _ = await list_dags(tx, context.cards, listing, wanted)
    for dag in dags:
        await set_paused(context.backends, DagId(dag.dag_id), body.is_paused)
    chosen = Listing(conditions=(OneOf("dag_id", tuple(dag.dag_id for dag in dags)),), limit=MOST_ROWS)
    async with context.backends.metastore.reading() as tx:
        return _collection(*await list_dags(tx, context.cards, chosen))


@router.get("/dags/{dag_id}")
async def get_one_dag(context: Context, dag_id: str) -> DagResponse:
    """Return a DAG."""
    async with context.backends.metastore.reading() as tx:
        return DagResponse.of(await get_dag(tx, context.cards, dag_id))


@router.patch("/dags/{dag_id}")
async def patch_dag(
    context: Context, dag_id: str, body: DagPatchBody, update_mask: Annotated[list[str] | None, Query()] = None
) -> DagResponse:
    """Pause or unpause a DAG."""
    _check_mask(update_mask)
    await set_paused(context.backends, DagId(dag_id), body.is_paused)
    return await get_one_dag(context, dag_id)


@router.get("/dags/{dag_id}/details")
async def get_dag_details(context: Context, dag_id: str) -> DagDetailsResponse:
    """Return a DAG with what its file says of it."""
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        graph = (await context.backends.graphs.get(tx, [dag.version.key]))[dag.version.key]
        return DagDetailsResponse.of_spec(dag, graph.dag, await active_runs_of(tx, dag_id))


@router.get("/dagTags", tags=["DagTag"])
async def get_dag_tags(
    context: Context,
    limit: Annotated[int, Query(ge=0)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
    order_by: Annotated[list[str] | None, Query()] = None,
    tag_name_pattern: str | None = None,
) -> DagTagCollectionResponse:
    """List the tags of all DAGs, by name."""
    if unknown := set(order_by or ()) - {"name", "-name"}:
        raise InvalidInput(f"Ordering with '{min(unknown)}' is disallowed or the attribute does not exist")
    async with context.backends.metastore.reading() as tx:
        tags = await list_tags(tx, context.cards)
    if tag_name_pattern and tag_name_pattern != EVERYTHING:
        parts = [part.strip("%").lower() for part in tag_name_pattern.split("|")]
        tags = [tag for tag in tags if any(part in tag.lower() for part in parts)]
    tags = tags[::-1] if order_by == ["-name"] else tags
    return DagTagCollectionResponse(tags=tags[offset:][: min(limit, MOST_ROWS)], total_entries=len(tags))


@router.get("/dagStats", tags=["DagStats"])
async def get_dag_stats(
    context: Context, dag_ids: Annotated[list[str] | None, Query()] = None
) -> DagStatsCollectionResponse:
    """Return how many runs of each DAG are in each state."""
    wanted = OneOf("dag_id", tuple(dag_ids)) if dag_ids else OneOf("is_active", (True,))
    async with context.backends.metastore.reading() as tx:
        dags, total = await list_dags(tx, context.cards, Listing(conditions=(wanted,), limit=None))
        counts = await counts_by_dag(tx, dag_ids)
    stats = [
        DagStatsResponse(
            dag_id=dag.dag_id,
            dag_display_name=dag.card.display_name,
            stats=[
                DagStatsStateResponse(state=state.value, count=counts.get(dag.dag_id, {}).get(state.value, 0))
                for state in RunState
            ],
        )
        for dag in dags
    ]
    return DagStatsCollectionResponse(dags=stats, total_entries=total)


def _collection(dags: list[DagView], total: int) -> DagCollectionResponse:
    return DagCollectionResponse(dags=[DagResponse.of(dag) for dag in dags], total_entries=total)


def _check_mask(update_mask: list[str] | None) -> None:
    if update_mask and update_mask != ["is_paused"]:
        raise InvalidInput("Only `is_paused` field can be updated through the REST API")
