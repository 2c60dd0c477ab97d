"""The audit log's page: who changed what, before and after; its filters are in the URL."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flowd.api.context import Context
from flowd.api.dashboard.forms import typed_moment
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.dashboard.preferences import preferences_of
from flowd.db.views.audit import AuditEvent, list_events_at
from flowd.db.views.keyset import MOST_COUNTED
from flowd.db.views.listing import Bounded, Comparison, Condition, Contains, Listing, OneOf, Order

router = APIRouter(prefix="/events", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """What became of one thing: `made`, `removed` or `changed`, and each value with what it was before."""

    thing: str
    kind: str
    values: Sequence[tuple[str, str | None, str | None]]


@router.get("")
async def events_page(
    request: Request,
    context: Context,
    who: str = "",
    event: str = "",
    dag: str = "",
    since: str = "",
    until: str = "",
    cursor: str = "",
) -> Response:
    """Show the audit log, the latest first."""
    zone = preferences_of(request).zone
    conditions: list[Condition] = []
    if who:
        conditions.append(OneOf("owner", (who,)))
    if event:
        conditions.append(Contains("event", event))
    if dag:
        conditions.append(OneOf("dag_id", (dag,)))
    if since:
        conditions.append(Bounded("when", Comparison.GTE, typed_moment(since, zone, "since")))
    if until:
        conditions.append(Bounded("when", Comparison.LTE, typed_moment(until, zone, "until")))
    listing = Listing(conditions=tuple(conditions), order_by=(Order("id", is_descending=True),), limit=PAGE_ROWS)
    async with context.backends.metastore.reading() as tx:
        found = await list_events_at(tx, context.cards, listing, cursor)
    asked = {"who": who, "event": event, "dag": dag, "since": since, "until": until}
    return render(
        request,
        "events.html",
        events=[(one, changes_of(one)) for one in found.items],
        total=found.total,
        most_counted=MOST_COUNTED,
        newer=found.previous_cursor,
        older=found.next_cursor,
        asked=asked,
        query=lambda **changes: urlencode({name: value for name, value in (asked | changes).items() if value}),
    )


def changes_of(event: AuditEvent) -> list[ChangeLine]:
    """Return what an event changed, thing by thing."""
    return [
        ChangeLine(one["thing"], _kind(one), list(_values(one["thing"], one["before"] or {}, one["after"] or {})))
        for one in json.loads(event.extra).get("changes", ())
    ]


def _kind(change: Mapping[str, Any]) -> str:
    if change["before"] is None:
        return "made"
    return "removed" if change["after"] is None else "changed"


def _values(
    thing: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[str, str | None, str | None]]:
    for name in {**before, **after}:
        old, new = _text(before.get(name)), _text(after.get(name))
        # The name of a thing that was made or removed is said already.
        if old != new and not thing.endswith(f" {new or old}"):
            yield name, old, new


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
