"""Pools: how many slots tasks may hold together."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from flowd.api.context import ApiContext, Context
from flowd.api.errors import invalid
from flowd.api.guard import ApiRoute
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.routes.dag_runs import fields_named
from flowd.api.schemas.pools import PoolBody, PoolCollectionResponse, PoolPatchBody, PoolResponse
from flowd.db.pools import Pool
from flowd.db.views.listing import Listing
from flowd.db.views.pools import POOLS, get_pool, list_pools
from flowd.domain.errors import Conflict, InvalidInput, NotFound

router = APIRouter(prefix="/api/v2/pools", route_class=ApiRoute, tags=["Pool"])
_WHOLE = ("pool", "slots", "include_deferred")
_PATCHABLE = ("name", "pool", "slots", "description", "include_deferred")


@router.get("", openapi_extra=parameters_of(POOLS))
async def get_pools(
    context: Context, listing: Annotated[Listing, Depends(listing_of(POOLS))]
) -> PoolCollectionResponse:
    """List pools."""
    async with context.backends.metastore.reading() as tx:
        pools, total = await list_pools(tx, listing)
    return PoolCollectionResponse(pools=[PoolResponse.of(pool) for pool in pools], total_entries=total)


@router.post("", status_code=201)
async def post_pool(context: Context, body: PoolBody) -> PoolResponse:
    """Make a pool."""
    if body.name in {pool.name for pool in await context.pools.list()}:
        raise Conflict(f"pool {body.name!r} exists already")
    await context.pools.set(pool_of(body))
    return await _shown(context, body.name)


@router.get("/{pool_name:path}")
async def get_one_pool(context: Context, pool_name: str) -> PoolResponse:
    """Return a pool."""
    return await _shown(context, pool_name)


@router.patch("/{pool_name:path}")
async def patch_pool(
    context: Context, pool_name: str, body: PoolPatchBody, update_mask: Annotated[list[str] | None, Query()] = None
) -> PoolResponse:
    """Change a pool; what is not given stays."""
    if not update_mask:
        for name in _WHOLE:
            if getattr(body, name) is None:
                raise invalid(("body", name), "Field required", None, "missing")
    if body.pool is not None and body.pool != pool_name:
        raise InvalidInput(f"body.pool is {body.pool!r}, and the path names {pool_name!r}: a pool cannot be renamed")
    named = fields_named(body.model_fields_set, update_mask, _PATCHABLE)
    changes: dict[str, Any] = {
        name: getattr(body, name)
        for name in ("slots", "include_deferred")
        if name in named and getattr(body, name) is not None
    }
    if "description" in named:
        changes["description"] = body.description or ""
    await _shown(context, pool_name)
    await context.pools.set(replace(await context.pools.get(pool_name), **changes))
    return await _shown(context, pool_name)


@router.delete("/{pool_name:path}", status_code=204)
async def delete_pool(context: Context, pool_name: str) -> None:
    """Remove a pool; the default one cannot be."""
    await _shown(context, pool_name)
    try:
        await context.pools.delete(pool_name)
    except Conflict as error:
        raise InvalidInput("Default Pool can't be deleted") from error
    except NotFound:
        return


def pool_of(body: PoolBody) -> Pool:
    """Return the pool that a body describes."""
    return Pool(
        name=body.name,
        slots=body.slots,
        description=body.description or "",
        include_deferred=body.include_deferred,
    )


async def _shown(context: ApiContext, name: str) -> PoolResponse:
    async with context.backends.metastore.reading() as tx:
        return PoolResponse.of(await get_pool(tx, name))
