"""Workers: what runs tasks, and how many at a time. A worker is named by its id or the beginning of it."""

from fastapi import APIRouter

from flowd.actions.workers import get_worker, list_workers, set_concurrency, set_draining
from flowd.api.context import ApiContext, Context
from flowd.api.guard import ApiRoute
from flowd.api.schemas.workers import WorkerCollectionResponse, WorkerDetailResponse, WorkerPatchBody, WorkerResponse
from flowd.api.slices import Ordered
from flowd.db.views.workers import running_on

router = APIRouter(prefix="/api/v2/workers", route_class=ApiRoute, tags=["Worker"])
_KEYS = ("id", "name", "host", "concurrency", "running", "state", "started_at", "seen_at")


@router.get("")
async def get_workers(context: Context, page: Ordered) -> WorkerCollectionResponse:
    """List the workers seen within a day, the one seen last first."""
    found = await list_workers(context.backends)
    async with context.backends.metastore.reading() as tx:
        now = await tx.now()
    shapes = [WorkerResponse.of(node, now) for node in found]
    keys = {name: (lambda worker, name=name: getattr(worker, name)) for name in _KEYS}
    return WorkerCollectionResponse(workers=page.of(shapes, keys), total_entries=len(shapes))


@router.get("/{worker_id}")
async def get_one_worker(context: Context, worker_id: str) -> WorkerDetailResponse:
    """Return a worker with the task instances that it runs."""
    node = await get_worker(context.backends, worker_id)
    async with context.backends.metastore.reading() as tx:
        running = await running_on(tx, context.cards, node)
        return WorkerDetailResponse.of_both(WorkerResponse.of(node, await tx.now()), running)


@router.patch("/{worker_id}")
async def patch_worker(context: Context, worker_id: str, body: WorkerPatchBody) -> WorkerResponse:
    """Change how many tasks a worker runs at a time; it hears of it within seconds, and what runs goes on."""
    node = await set_concurrency(context.backends, worker_id, body.concurrency)
    return await _shown(context, node.id)


@router.post("/{worker_id}/drain")
async def drain_worker(context: Context, worker_id: str) -> WorkerResponse:
    """Let a worker take no more work; what runs goes on, and the worker stays."""
    return await _shown(context, (await set_draining(context.backends, worker_id, True)).id)


@router.post("/{worker_id}/undrain")
async def undrain_worker(context: Context, worker_id: str) -> WorkerResponse:
    """Let a worker take work again."""
    return await _shown(context, (await set_draining(context.backends, worker_id, False)).id)


async def _shown(context: ApiContext, worker_id: str) -> WorkerResponse:
    node = await get_worker(context.backends, worker_id)
    async with context.backends.metastore.reading() as tx:
        return WorkerResponse.of(node, await tx.now())
