"""The pages of assets: who makes and who uses each, its events and what they set off; make an event."""

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from flowd.actions.asset_changes import maker_of
from flowd.api.context import ApiContext, Caller, Context
from flowd.api.dag_access import is_permitted
from flowd.api.dashboard.forms import Typed, body_of
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.dashboard.words import segment
from flowd.api.errors import status_of
from flowd.api.routes import assets
from flowd.api.schemas.assets import CreateAssetEventBody
from flowd.api.storable import WholeNumber
from flowd.db.assets import INLET, OUTLET, SCHEDULE
from flowd.db.views.asset_events import list_events, list_queued
from flowd.db.views.assets import get_asset, list_assets
from flowd.db.views.listing import Condition, Contains, Listing, OneOf, Order
from flowd.domain.dag_access import EDIT, TRIGGER
from flowd.domain.errors import Conflict, FlowdError, InvalidInput, NotFound
from flowd.domain.ids import DagId

router = APIRouter(prefix="/assets", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
EVENT_ROWS = 25
CHOICES = ("used", "all")
_KINDS: Mapping[str, Any] = {"outlet": OUTLET, "inlet": INLET, "schedule": SCHEDULE}
_NEW = {"extra": "", "partition_key": ""}


@router.get("")
async def assets_page(
    request: Request,
    context: Context,
    q: str = "",
    group: str = "",
    show: str = "used",
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """List the assets, by default those that a DAG in service uses."""
    chosen = show if show in CHOICES else CHOICES[0]
    conditions: list[Condition] = [Contains("name", q)] if q else []
    if group:
        conditions.append(OneOf("group", (group,)))
    listing = Listing(conditions=tuple(conditions), order_by=(Order("name"),), limit=PAGE_ROWS, offset=offset)
    async with context.backends.metastore.reading() as tx:
        found, total = await list_assets(tx, listing, only_active=chosen == "used")
    asked = {"q": q, "group": group, "show": chosen}
    return render(
        request,
        "assets.html",
        assets=found,
        total=total,
        q=q,
        group=group,
        show=chosen,
        choices=CHOICES,
        offset=offset,
        rows=PAGE_ROWS,
        query=lambda **changes: urlencode({name: value for name, value in (asked | changes).items() if value}),
        **_KINDS,
    )


@router.get("/{asset_id}")
async def asset_page(
    request: Request, context: Context, asset_id: WholeNumber, offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """Show an asset with its last events."""
    return await _page(request, context, asset_id, offset=offset)


@router.post("/{asset_id}/events")
async def post_asset_event(request: Request, context: Context, asset_id: WholeNumber, typed: Typed) -> Response:
    """Say that an asset has changed: DAGs that are scheduled by it run."""
    try:
        body = {"asset_id": asset_id, "extra": _extra(typed.get("extra", ""))}
        key = typed.get("partition_key") or None
        await assets.post_asset_event(context, body_of(CreateAssetEventBody, {**body, "partition_key": key}))
    except InvalidInput as error:
        return await _page(request, context, asset_id, typed=_NEW | typed, problem=error)
    return _to(asset_id)


@router.post("/{asset_id}/materialize")
async def post_materialize_asset(context: Context, caller: Caller, asset_id: WholeNumber) -> Response:
    """Make a run of the DAG that makes an asset, and go to it."""
    run = await assets.post_materialize_asset(context, caller, asset_id)
    return RedirectResponse(f"/dags/{segment(run.dag_id)}/runs/{segment(run.dag_run_id)}", 303)


@router.post("/{asset_id}/forget")
async def delete_asset_queued_events(context: Context, asset_id: WholeNumber) -> Response:
    """Forget what is queued of an asset, for the DAGs that the caller may edit."""
    await assets.delete_asset_queued_events(context, asset_id)
    return _to(asset_id)


async def _page(
    request: Request,
    context: ApiContext,
    asset_id: int,
    *,
    offset: int = 0,
    typed: Mapping[str, str] = _NEW,
    problem: FlowdError | None = None,
) -> Response:
    listing = Listing(
        conditions=(OneOf("asset_id", (asset_id,)),),
        order_by=(Order("id", is_descending=True),),
        limit=EVENT_ROWS,
        offset=offset,
    )
    async with context.backends.metastore.reading() as tx:
        asset = await get_asset(tx, asset_id)
        events, total = await list_events(tx, listing)
        queued = await list_queued(tx, context.cards, asset_id=asset_id)
    return render(
        request,
        "asset.html",
        status=200 if problem is None else status_of(problem),
        asset=asset,
        events=events,
        total=total,
        offset=offset,
        rows=EVENT_ROWS,
        queued=queued,
        may_forget=any([await is_permitted(context, one.dag_id, EDIT) for one in queued]),
        maker=await _maker(context, asset_id),
        typed=typed,
        problem=problem,
        **_KINDS,
    )


async def _maker(context: ApiContext, asset_id: int) -> DagId | None:
    """Return the one DAG that makes the asset, where the caller may trigger it."""
    try:
        maker = await maker_of(context.backends, asset_id)
    except (NotFound, Conflict):
        return None
    return maker if await is_permitted(context, maker, TRIGGER) else None


def _extra(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise InvalidInput(f"extra is no JSON ({error})") from error


def _to(asset_id: int) -> RedirectResponse:
    return RedirectResponse(f"/assets/{asset_id}", 303)
