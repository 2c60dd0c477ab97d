"""The pages of queues, how much is in each and for how long; and of dead letters, the messages that were put aside."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from flowd.actions.task_queues import (
    EVERY,
    discard_dead_letters,
    list_dead_letters,
    retry_dead_letters,
    set_queue_paused,
)
from flowd.api.context import Context
from flowd.api.dashboard.forms import YES, Typed, needed
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.schemas.task_queues import DeadLetterResponse
from flowd.db.views.listing import MOST_ROWS
from flowd.db.views.task_queues import list_queues

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/queues")
async def queues_page(request: Request, context: Context) -> Response:
    """List the queues that something is known of."""
    async with context.backends.metastore.reading() as tx:
        found = await list_queues(tx)
    return render(request, "queues.html", queues=found)


@router.post("/queues/pause")
async def patch_queue(context: Context, typed: Typed) -> Response:
    """Pause or resume a queue."""
    await set_queue_paused(context.backends, needed(typed, "name"), needed(typed, "is_paused") == YES)
    return RedirectResponse("/queues", 303)


@router.get("/dead_letters")
async def dead_letters_page(request: Request, context: Context) -> Response:
    """List messages that nobody could read, or that came too often."""
    letters = await list_dead_letters(context.backends)
    shown = [DeadLetterResponse.of(one) for one in letters[:MOST_ROWS]]
    return render(request, "dead_letters.html", letters=shown, total=len(letters), every=EVERY)


@router.post("/dead_letters/retry")
async def retry_dead_letter(context: Context, typed: Typed) -> Response:
    """Send a dead letter, or every one, back to the queue it came from."""
    await retry_dead_letters(context.backends, needed(typed, "id"))
    return RedirectResponse("/dead_letters", 303)


@router.post("/dead_letters/discard")
async def delete_dead_letter(context: Context, typed: Typed) -> Response:
    """Discard a dead letter, or every one."""
    await discard_dead_letters(context.backends, needed(typed, "id"))
    return RedirectResponse("/dead_letters", 303)
