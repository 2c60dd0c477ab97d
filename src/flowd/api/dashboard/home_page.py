"""The first page: what lives, what ran, what fails, what takes long, what could not be read."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from flowd.api.context import Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.db.tables import dag_run
from flowd.db.views.health import heartbeats, live_counts
from flowd.db.views.import_errors import list_import_errors
from flowd.db.views.listing import Listing, Order
from flowd.db.views.live_states import is_one_of
from flowd.db.views.overview import ended_runs, failing_dags
from flowd.db.views.runs import list_runs
from flowd.domain.states import RunState

router = APIRouter(route_class=PageRoute, include_in_schema=False)

WINDOWS = {1: (timedelta(minutes=2), 30), 24: (timedelta(minutes=30), 48), 168: (timedelta(hours=4), 42)}
"""Of so many last hours: how long a bar stands for, and how many bars there are."""

FEW = 6
_LIVE = (RunState.QUEUED, RunState.RUNNING)


@router.get("/")
async def home_page(request: Request, context: Context, hours: Annotated[int, Query()] = 24) -> Response:
    """Show the state of the cluster and of the last hours."""
    part, parts = WINDOWS.get(hours, WINDOWS[24])
    now = context.backends.clock.now()
    async with context.backends.metastore.reading() as tx:
        ended = await ended_runs(tx, until=now, part=part, parts=parts)
        failing = await failing_dags(tx, since=ended.since, limit=FEW)
        oldest = Listing(order_by=(Order("run_after"),), limit=FEW)
        live, live_total = await list_runs(tx, context.cards, oldest, is_one_of(dag_run, _LIVE))
        beats = await heartbeats(tx)
        counts = await live_counts(tx)
        errors, error_total = await list_import_errors(tx, Listing(limit=FEW))
    return render(
        request,
        "home.html",
        hours=hours if hours in WINDOWS else 24,
        windows=list(WINDOWS),
        ended=ended,
        failing=failing,
        live=live,
        live_total=live_total,
        beats=beats,
        live_counts=counts,
        errors=errors,
        error_total=error_total,
    )
