"""DAGs: lists, details, pausing, their tags and the counts of their runs."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from flowd.actions.delete import delete_dag
from flowd.actions.favorite_dag import set_favorite
from flowd.actions.pause_dag import set_paused
from flowd.api.context import Caller, Context
from flowd.api.dag_access import is_permitted
from flowd.api.guard import ApiRoute
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.schemas.base import Moment
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
from flowd.api.slices import Ordered
from flowd.db.favorites import is_favorite
from flowd.db.views.dags import DAGS, DagFilter, DagView, active_runs_of, get_dag, list_dags, list_tags
from flowd.db.views.listing import EVERYTHING, MOST_ROWS, Bounded, Comparison, Listing, OneOf
from flowd.db.views.runs import counts_by_dag
from flowd.domain.dag_access import EDIT
from flowd.domain.errors import InvalidInput
from flowd.domain.ids import DagId
from flowd.domain.states import RunState

router = APIRouter(prefix="/api/v2", route_class=ApiRoute, tags=["DAG"])


class RunDates(BaseModel):
    """When one run of a DAG began and ended."""

    model_config = ConfigDict(frozen=True)

    dag_run_start_date_gte: Moment | None = None
    dag_run_start_date_gt: Moment | None = None
    dag_run_start_date_lte: Moment | None = None
    dag_run_start_date_lt: Moment | None = None
    dag_run_end_date_gte: Moment | None = None
    dag_run_end_date_gt: Moment | None = None
    dag_run_end_date_lte: Moment | None = None
    dag_run_end_date_lt: Moment | None = None

    def bounds(self) -> list[Bounded]:
        """Return the bounds that are given."""
        return [
            Bounded(name, comparison, moment)
            for name in ("start_date", "end_date")
            for comparison in Comparison
            if (moment := getattr(self, f"dag_run_{name}_{comparison}")) is not None
        ]


def dag_filter(
    caller: Caller,
    runs: Annotated[RunDates, Depends()],
    tags: Annotated[list[str] | None, Query()] = None,
    tags_match_mode: Literal["any", "all"] = "any",
    owners: Annotated[list[str] | None, Query()] = None,
    dag_display_name_pattern: str | None = None,
    dag_display_name_prefix_pattern: str | None = None,
    asset_dependency: str | None = None,
    is_favorite: bool | None = None,
    timetable_type: Annotated[list[str] | None, Query()] = None,
    dag_run_state: Annotated[list[RunState] | None, Query()] = None,
) -> DagFilter:
    """Return the filters of a list of DAGs that are not fields of it."""
    return DagFilter(
        tags=tuple(tags or ()),
        are_all_tags_wanted=tags_match_mode == "all",
        owners=tuple(owners or ()),
        display_name=dag_display_name_pattern,
        display_prefix=dag_display_name_prefix_pattern,
        asset_dependency=asset_dependency,
        is_favorite=is_favorite,
        is_favorite_of=caller.username,
        run_bounds=tuple(runs.bounds()),
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
    """Pause or unpause every DAG of the page that the filters select, less those that the caller may not edit."""
    _check_mask(update_mask)
    async with context.backends.metastore.reading() as tx:
        dags, _ = await list_dags(tx, context.cards, listing, wanted)
    dags = [dag for dag in dags if await is_permitted(context, dag.dag_id, EDIT)]
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


@router.delete("/dags/{dag_id}")
async def delete_one_dag(context: Context, dag_id: str) -> None:
    """Delete a DAG with its runs, versions and backfills; where its file is still there, it is soon a new DAG."""
    await delete_dag(context.backends, DagId(dag_id))


@router.get("/dags/{dag_id}/details")
async def get_dag_details(context: Context, caller: Caller, dag_id: str) -> DagDetailsResponse:
    """Return a DAG with what its file says of it."""
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        graph = (await context.backends.graphs.get(tx, [dag.version.key]))[dag.version.key]
        is_mine = await is_favorite(tx, caller.username, dag_id)
        return DagDetailsResponse.of_spec(dag, graph.dag, await active_runs_of(tx, dag_id), is_favorite=is_mine)


@router.post("/dags/{dag_id}/favorite", status_code=204)
async def favorite_dag(context: Context, caller: Caller, dag_id: str) -> None:
    """Make a DAG a favourite of whoever asks."""
    await set_favorite(context.backends, DagId(dag_id), caller.username, True)


@router.post("/dags/{dag_id}/unfavorite", status_code=204)
async def unfavorite_dag(context: Context, caller: Caller, dag_id: str) -> None:
    """Let a DAG be no favourite of whoever asks."""
    await set_favorite(context.backends, DagId(dag_id), caller.username, False)


@router.get("/dagTags", tags=["DagTag"])
async def get_dag_tags(
    context: Context,
    page: Ordered,
    tag_name_pattern: str | None = None,
    tag_name_prefix_pattern: str | None = None,
) -> DagTagCollectionResponse:
    """List the tags of all DAGs, by name."""
    async with context.backends.metastore.reading() as tx:
        tags = await list_tags(tx, context.cards)
    if tag_name_pattern and tag_name_pattern != EVERYTHING:
        parts = [part.strip("%").lower() for part in tag_name_pattern.split("|")]
        tags = [tag for tag in tags if any(part in tag.lower() for part in parts)]
    if tag_name_prefix_pattern and tag_name_prefix_pattern != EVERYTHING:
        tags = [tag for tag in tags if tag.startswith(tuple(tag_name_prefix_pattern.split("|")))]
    return DagTagCollectionResponse(tags=page.of(tags, {"name": lambda tag: tag}), total_entries=len(tags))


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
