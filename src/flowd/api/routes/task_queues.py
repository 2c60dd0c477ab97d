"""Queues: how much is in each, and whether it is paused; and dead letters, the messages that were put aside."""

from fastapi import APIRouter

from flowd.actions.task_queues import (
    discard_dead_letters,
    list_dead_letters,
    retry_dead_letters,
    set_queue_paused,
)
from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.schemas.task_queues import (
    DeadLetterCollectionResponse,
    DeadLetterResponse,
    QueueCollectionResponse,
    QueueDetailResponse,
    QueuePatchBody,
    QueueResponse,
    SentBackResponse,
)
from flowd.api.slices import Ordered, Unordered
from flowd.db.views.task_queues import QueueView, get_queue, list_queues
from flowd.domain.errors import NotFound

router = APIRouter(prefix="/api/v2", route_class=ApiRoute, tags=["Queue"])
_KEYS = ("name", "is_paused", "scheduled", "queued", "running", "oldest_queued_at", "workers")


@router.get("/queues")
async def get_queues(context: Context, page: Ordered) -> QueueCollectionResponse:
    """List the queues that something is known of."""
    async with context.backends.metastore.reading() as tx:
        now = await tx.now()
        shapes = [QueueResponse.of(view, now) for view in await list_queues(tx)]
    keys = {name: (lambda queue, name=name: getattr(queue, name)) for name in _KEYS}
    return QueueCollectionResponse(queues=page.of(shapes, keys), total_entries=len(shapes))


@router.get("/queues/{queue_name:path}")
async def get_one_queue(context: Context, queue_name: str) -> QueueDetailResponse:
    """Return a queue with the workers that take from it."""
    async with context.backends.metastore.reading() as tx:
        return QueueDetailResponse.of(await get_queue(tx, queue_name), await tx.now())


@router.patch("/queues/{queue_name:path}")
async def patch_queue(context: Context, queue_name: str, body: QueuePatchBody) -> QueueResponse:
    """Pause or resume a queue; what is in it already is run all the same."""
    await set_queue_paused(context.backends, queue_name, body.is_paused)
    async with context.backends.metastore.reading() as tx:
        now = await tx.now()
        try:
            return QueueResponse.of(await get_queue(tx, queue_name), now)
        except NotFound:
            # Resumed, and nothing else is known of it.
            return QueueResponse.of(QueueView(name=queue_name), now)


@router.get("/deadLetters")
async def get_dead_letters(context: Context, page: Unordered) -> DeadLetterCollectionResponse:
    """List messages that nobody could read, or that came too often; the first thousand of them."""
    letters = await list_dead_letters(context.backends)
    shapes = [DeadLetterResponse.of(one) for one in letters]
    return DeadLetterCollectionResponse(dead_letters=page.of(shapes, {}), total_entries=len(shapes))


@router.post("/deadLetters/{dead_letter_id}/retry")
async def retry_dead_letter(context: Context, dead_letter_id: str) -> SentBackResponse:
    """Send a dead letter, `~` for every one, back to the queue it came from."""
    return SentBackResponse(sent_back=sorted(await retry_dead_letters(context.backends, dead_letter_id)))


@router.delete("/deadLetters/{dead_letter_id}", status_code=204)
async def delete_dead_letter(context: Context, dead_letter_id: str) -> None:
    """Discard a dead letter, `~` for every one."""
    await discard_dead_letters(context.backends, dead_letter_id)
