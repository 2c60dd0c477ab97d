"""The audit log."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.schemas.base import Moment
from flowd.api.schemas.event_logs import EventLogCollectionResponse, EventLogResponse
from flowd.api.storable import WholeNumber
from flowd.db.views.audit import AUDIT_EVENTS, get_event, list_events
from flowd.db.views.listing import Bounded, Comparison, Listing, OneOf

router = APIRouter(prefix="/api/v2/eventLogs", route_class=ApiRoute, tags=["Event Log"])


@router.get("", openapi_extra=parameters_of(AUDIT_EVENTS))
async def get_event_logs(
    context: Context,
    listing: Annotated[Listing, Depends(listing_of(AUDIT_EVENTS))],
    included_events: Annotated[list[str] | None, Query()] = None,
    excluded_events: Annotated[list[str] | None, Query()] = None,
    before: Moment | None = None,
    after: Moment | None = None,
) -> EventLogCollectionResponse:
    """List who changed what."""
    if included_events:
        listing = listing.where(OneOf("event", tuple(included_events)))
    if before is not None:
        listing = listing.where(Bounded("when", Comparison.LTE, before))
    if after is not None:
        listing = listing.where(Bounded("when", Comparison.GTE, after))
    async with context.backends.metastore.reading() as tx:
        found, total = await list_events(tx, context.cards, listing, tuple(excluded_events or ()))
    return EventLogCollectionResponse(event_logs=[EventLogResponse.of(one) for one in found], total_entries=total)


@router.get("/{event_log_id}")
async def get_event_log(context: Context, event_log_id: WholeNumber) -> EventLogResponse:
    """Return a row of the log."""
    async with context.backends.metastore.reading() as tx:
        return EventLogResponse.of(await get_event(tx, context.cards, event_log_id))
