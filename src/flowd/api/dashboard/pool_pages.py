"""The pages of pools: what holds and awaits their slots; make one, change it, remove it."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.forms import YES, Typed, body_of, needed
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.errors import status_of
from flowd.api.routes import pools
from flowd.api.schemas.pools import PoolBody, PoolPatchBody
from flowd.db.views.listing import MOST_ROWS, Contains, Listing
from flowd.db.views.pools import get_pool, list_pools
from flowd.domain.errors import FlowdError, InvalidInput
from flowd.domain.task_spec import DEFAULT_POOL

router = APIRouter(prefix="/pools", route_class=PageRoute, include_in_schema=False)

_NEW = {"name": "", "slots": "8", "description": ""}


@router.get("")
async def pools_page(
    request: Request, context: Context, q: str = "", offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """List the pools with what holds and awaits their slots."""
    return await _list(request, context, q=q, offset=offset)


@router.post("")
async def post_pool(request: Request, context: Context, typed: Typed) -> Response:
    """Make a pool."""
    try:
        await pools.post_pool(context, _body(typed))
    except FlowdError as error:
        return await _list(request, context, typed=_NEW | typed, problem=error)
    return RedirectResponse("/pools", 303)


@router.post("/change")
async def patch_pool(request: Request, context: Context, typed: Typed) -> Response:
    """Change a pool; tasks in it that run go on, even where it has fewer slots now."""
    name = needed(typed, "name")
    try:
        said = _body(typed)
        body = PoolPatchBody(
            pool=name, slots=said.slots, description=said.description, include_deferred=said.include_deferred
        )
        await pools.patch_pool(context, name, body)
    except FlowdError as error:
        return await _form(request, context, name, typed=typed, problem=error)
    return RedirectResponse("/pools", 303)


@router.post("/delete")
async def delete_pool(request: Request, context: Context, typed: Typed) -> Response:
    """Remove a pool."""
    name = needed(typed, "name")
    try:
        await pools.delete_pool(context, name)
    except InvalidInput as error:
        return await _form(request, context, name, problem=error)
    return RedirectResponse("/pools", 303)


@router.get("/{pool_name:path}")
async def pool_page(request: Request, context: Context, pool_name: str) -> Response:
    """Show a pool, and the form by which it is changed."""
    return await _form(request, context, pool_name)


async def _list(
    request: Request,
    context: ApiContext,
    *,
    q: str = "",
    offset: int = 0,
    typed: Mapping[str, str] = _NEW,
    problem: FlowdError | None = None,
) -> Response:
    conditions = (Contains("name", q),) if q else ()
    async with context.backends.metastore.reading() as tx:
        found, total = await list_pools(tx, Listing(conditions=conditions, limit=MOST_ROWS, offset=offset))
    return render(
        request,
        "pools.html",
        status=200 if problem is None else status_of(problem),
        pools=found,
        total=total,
        q=q,
        offset=offset,
        rows=MOST_ROWS,
        typed=typed,
        problem=problem,
    )


async def _form(
    request: Request,
    context: ApiContext,
    name: str,
    *,
    typed: Mapping[str, str] | None = None,
    problem: FlowdError | None = None,
) -> Response:
    async with context.backends.metastore.reading() as tx:
        pool = await get_pool(tx, name)
    stored = {"slots": str(pool.slots), "description": pool.description or ""}
    if pool.include_deferred:
        stored["include_deferred"] = YES
    return render(
        request,
        "pool.html",
        status=200 if problem is None else status_of(problem),
        pool=pool,
        typed={"slots": "", "description": "", **(stored if typed is None else typed)},
        problem=problem,
        is_default=name == DEFAULT_POOL,
    )


def _body(typed: Mapping[str, str]) -> PoolBody:
    return body_of(PoolBody, {**typed, "include_deferred": typed.get("include_deferred") == YES})
