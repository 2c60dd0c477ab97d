"""The pages of backfills: look what one would do, make it, hold it up, call it off."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import ApiContext, Caller, Context
from flowd.api.dashboard.forms import YES, Typed, body_of, needed, typed_moment
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.dashboard.preferences import preferences_of
from flowd.api.errors import status_of
from flowd.api.routes import backfills
from flowd.api.schemas.backfills import BackfillPostBody
from flowd.api.storable import WholeNumber
from flowd.db.views.backfills import counts_of, get_backfill, list_backfills
from flowd.db.views.dags import access_of
from flowd.db.views.listing import Condition, Listing, OneOf, Order
from flowd.domain.backfill import DEFAULT_ACTIVE_RUNS, ReprocessBehavior
from flowd.domain.errors import FlowdError, InvalidInput, NoPreview
from flowd.domain.ids import BackfillKey

router = APIRouter(prefix="/backfills", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
MOST_SHOWN = 60
"""How many dates of a preview are written out."""

_NEW = {
    "dag": "",
    "from_date": "",
    "to_date": "",
    "reprocess_behavior": ReprocessBehavior.NONE.value,
    "max_active_runs": str(DEFAULT_ACTIVE_RUNS),
    "conf": "",
}


@router.get("")
async def backfills_page(
    request: Request, context: Context, dag: str = "", offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """List the backfills of every DAG, the latest first."""
    conditions: tuple[Condition, ...] = (OneOf("dag_id", (dag,)),) if dag else ()
    listing = Listing(
        conditions=conditions, order_by=(Order("id", is_descending=True),), limit=PAGE_ROWS, offset=offset
    )
    async with context.backends.metastore.reading() as tx:
        found, total = await list_backfills(tx, context.cards, listing)
    return render(request, "backfills.html", backfills=found, total=total, dag=dag, offset=offset, rows=PAGE_ROWS)


@router.get("/new")
async def new_backfill_page(request: Request, context: Context) -> Response:
    """Show the form, and once it is filled in the dates for which a backfill would make or rerun a run now."""
    return await _new(request, context, dict(request.query_params))


@router.post("")
async def post_backfill(request: Request, context: Context, caller: Caller, typed: Typed) -> Response:
    """Make a backfill."""
    try:
        made = await backfills.post_backfill(context, caller, _body(request, typed))
    except FlowdError as error:
        return await _new(request, context, typed, problem=error)
    return RedirectResponse(f"/backfills/{made.id}", 303)


@router.get("/{backfill_id}")
async def backfill_page(request: Request, context: Context, backfill_id: WholeNumber) -> Response:
    """Show a backfill and how far it has come."""
    key = BackfillKey(backfill_id)
    async with context.backends.metastore.reading() as tx:
        view = await get_backfill(tx, context.cards, key)
        counts = await counts_of(tx, key)
        access = await access_of(tx, context.cards, view.backfill.request.dag_id)
    conf = view.backfill.request.conf
    shown = "" if conf is None else json.dumps(dict(conf))
    return render(request, "backfill.html", view=view, counts=counts, access=access, conf=shown)


@router.post("/{backfill_id}/pause")
async def pause(context: Context, backfill_id: WholeNumber, typed: Typed) -> Response:
    """Keep a backfill's queued runs from starting, or let them start."""
    act = backfills.pause if needed(typed, "is_paused") == YES else backfills.unpause
    await act(context, backfill_id)
    return RedirectResponse(f"/backfills/{backfill_id}", 303)


@router.post("/{backfill_id}/cancel")
async def cancel(context: Context, backfill_id: WholeNumber) -> Response:
    """End a backfill."""
    await backfills.cancel(context, backfill_id)
    return RedirectResponse(f"/backfills/{backfill_id}", 303)


async def _new(
    request: Request, context: ApiContext, typed: Mapping[str, str], *, problem: FlowdError | None = None
) -> Response:
    dates = None
    if problem is None and typed.get("from_date") and typed.get("to_date"):
        try:
            shown = await backfills.dry_run(context, _body(request, typed))
            dates = [one.logical_date for one in shown.backfills]
        except FlowdError as error:
            problem = error
    return render(
        request,
        "new_backfill.html",
        status=200 if problem is None else status_of(problem),
        typed=_NEW | {name: value for name, value in typed.items() if name in (*_NEW, "run_backwards")},
        behaviors=list(ReprocessBehavior),
        dates=dates,
        most_shown=MOST_SHOWN,
        has_no_preview=isinstance(problem, NoPreview),
        problem=problem,
    )


def _body(request: Request, typed: Mapping[str, str]) -> BackfillPostBody:
    zone = preferences_of(request).zone
    values: dict[str, Any] = {
        "dag_id": needed(typed, "dag"),
        "from_date": typed_moment(needed(typed, "from_date"), zone, "from"),
        "to_date": typed_moment(needed(typed, "to_date"), zone, "to"),
        "run_backwards": typed.get("run_backwards") == YES,
        "dag_run_conf": _conf(typed.get("conf", "")),
    }
    values |= {name: typed[name] for name in ("reprocess_behavior", "max_active_runs") if name in typed}
    return body_of(BackfillPostBody, values)


def _conf(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else None
    except ValueError as error:
        raise InvalidInput(f"conf is no JSON ({error})") from error
