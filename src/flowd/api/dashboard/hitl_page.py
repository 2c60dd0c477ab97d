"""The inbox of what tasks ask people; each question is answered on its task's page."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from flowd.api.context import Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.db.views.hitl import list_hitl_details
from flowd.db.views.listing import Condition, Contains, Listing, OneOf, Order
from flowd.domain.states import TaskState

router = APIRouter(prefix="/hitl", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
CONDITIONS: dict[str, tuple[Condition, ...]] = {
    "waiting": (OneOf("response_received", (False,)), OneOf("state", (TaskState.DEFERRED,))),
    "answered": (OneOf("response_received", (True,)),),
    "all": (),
}
"""What each choice shows. A task whose time was over without an answer waits for nobody."""


@router.get("")
async def hitl_page(
    request: Request,
    context: Context,
    q: str = "",
    show: str = "waiting",
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """List what waits for people's answers: who has waited longest comes first."""
    chosen = show if show in CONDITIONS else "waiting"
    listing = Listing(
        conditions=(*CONDITIONS[chosen], *((Contains("subject", q),) if q else ())),
        order_by=(Order("created_at", is_descending=chosen != "waiting"),),
        limit=PAGE_ROWS,
        offset=offset,
    )
    async with context.backends.metastore.reading() as tx:
        found, total = await list_hitl_details(tx, context.cards, listing)
    asked = {"show": chosen, "q": q}
    return render(
        request,
        "hitl.html",
        found=found,
        total=total,
        q=q,
        show=chosen,
        choices=list(CONDITIONS),
        offset=offset,
        rows=PAGE_ROWS,
        query=lambda **changes: urlencode({name: value for name, value in (asked | changes).items() if value}),
    )
