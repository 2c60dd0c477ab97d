"""The stream by which an open page hears that it is out of date: server-sent events, one stream a tab."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from flowd.api.context import Context
from flowd.api.dag_access import check_dag
from flowd.api.dashboard.change_feed import EVERYTHING, ChangeFeed
from flowd.api.dashboard.guard import PageRoute
from flowd.domain.dag_access import READ

router = APIRouter(route_class=PageRoute, include_in_schema=False)

QUIET_SECONDS = 15.0
"""After so long without news a comment is sent: proxies end what is silent, and we notice who is gone."""

MOST_QUIETS = 40
"""A stream ends after ten quiet minutes, and the browser opens another: so whoever is logged out hears no more."""


@router.get("/ui/events")
async def live_events(request: Request, context: Context, of: str = EVERYTHING) -> Response:
    """Stream `changed` whenever something of one DAG, or of any, has changed."""
    if of != EVERYTHING:
        await check_dag(context, of, READ)
    feed: ChangeFeed = request.app.state.change_feed
    return StreamingResponse(_events(feed, of), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _events(feed: ChangeFeed, of: str) -> AsyncIterator[str]:
    with feed.watch(of) as watcher:
        yield "retry: 2000\n\n"
        for _ in range(MOST_QUIETS):
            while await watcher.heard(QUIET_SECONDS):
                yield "event: changed\ndata:\n\n"
            if watcher.is_over:
                return
            yield ": still here\n\n"
