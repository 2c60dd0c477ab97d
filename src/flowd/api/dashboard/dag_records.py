"""What people have done with a DAG: its backfills, and what the audit log has about it."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from flowd.api.context import Context
from flowd.api.dashboard.dag_frame import in_dag_frame
from flowd.api.dashboard.event_pages import changes_of
from flowd.api.dashboard.guard import PageRoute
from flowd.db.views.audit import list_events_at
from flowd.db.views.backfills import list_backfills
from flowd.db.views.dags import get_dag
from flowd.db.views.keyset import MOST_COUNTED
from flowd.db.views.listing import Listing, OneOf, Order

router = APIRouter(prefix="/dags/{dag_id}", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
_LATEST = (Order("id", is_descending=True),)


@router.get("/backfills")
async def dag_backfills_page(
    request: Request, context: Context, dag_id: str, offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """List the backfills of a DAG, the latest first."""
    of_dag = (OneOf("dag_id", (dag_id,)),)
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        listing = Listing(conditions=of_dag, order_by=_LATEST, limit=PAGE_ROWS, offset=offset)
        found, total = await list_backfills(tx, context.cards, listing)
    return in_dag_frame(
        request,
        "dag_backfills.html",
        dag,
        tab="/backfills",
        backfills=found,
        total=total,
        offset=offset,
        rows=PAGE_ROWS,
    )


@router.get("/events")
async def dag_events_page(request: Request, context: Context, dag_id: str, cursor: str = "") -> Response:
    """Show what the audit log has about a DAG, the latest first."""
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        listing = Listing(conditions=(OneOf("dag_id", (dag_id,)),), order_by=_LATEST, limit=PAGE_ROWS)
        found = await list_events_at(tx, context.cards, listing, cursor)
    return in_dag_frame(
        request,
        "dag_events.html",
        dag,
        tab="/events",
        events=[(one, changes_of(one)) for one in found.items],
        found=found,
        most_counted=MOST_COUNTED,
        query=lambda **changes: urlencode({"dag": dag_id} | changes),
    )
