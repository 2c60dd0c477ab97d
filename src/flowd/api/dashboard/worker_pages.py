"""The pages of workers: what each runs; drain it, let it take work again, change how many tasks it runs at a time."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from flowd.actions.workers import MOST_TASKS, get_worker, list_workers, set_draining
from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.forms import Typed, body_of
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.dashboard.words import segment
from flowd.api.errors import status_of
from flowd.api.routes import workers
from flowd.api.schemas.workers import WorkerPatchBody, WorkerResponse
from flowd.db.views.listing import MOST_ROWS
from flowd.db.views.workers import running_on
from flowd.domain.errors import InvalidInput

router = APIRouter(prefix="/workers", route_class=PageRoute, include_in_schema=False)


@router.get("")
async def workers_page(request: Request, context: Context) -> Response:
    """List the workers seen within a day, the one seen last first."""
    found = await list_workers(context.backends)
    async with context.backends.metastore.reading() as tx:
        now = await tx.now()
    shown = [WorkerResponse.of(node, now) for node in found[:MOST_ROWS]]
    return render(request, "workers.html", workers=shown, total=len(found))


@router.get("/{worker_id}")
async def worker_page(request: Request, context: Context, worker_id: str) -> Response:
    """Show a worker, the tasks it runs, and what can be wanted of it."""
    return await _page(request, context, worker_id)


@router.post("/{worker_id}/drain")
async def drain_worker(context: Context, worker_id: str) -> Response:
    """Let a worker take no more work."""
    return _to((await set_draining(context.backends, worker_id, True)).id)


@router.post("/{worker_id}/undrain")
async def undrain_worker(context: Context, worker_id: str) -> Response:
    """Let a worker take work again."""
    return _to((await set_draining(context.backends, worker_id, False)).id)


@router.post("/{worker_id}/concurrency")
async def patch_worker(request: Request, context: Context, worker_id: str, typed: Typed) -> Response:
    """Change how many tasks a worker runs at a time."""
    try:
        changed = await workers.patch_worker(context, worker_id, body_of(WorkerPatchBody, typed))
    except InvalidInput as error:
        return await _page(request, context, worker_id, typed=typed, problem=error)
    return _to(changed.id)


async def _page(
    request: Request,
    context: ApiContext,
    worker_id: str,
    *,
    typed: Mapping[str, str] | None = None,
    problem: InvalidInput | None = None,
) -> Response:
    node = await get_worker(context.backends, worker_id)
    async with context.backends.metastore.reading() as tx:
        worker = WorkerResponse.of(node, await tx.now())
        running = await running_on(tx, context.cards, node)
    wanted = worker.concurrency if worker.wanted_concurrency is None else worker.wanted_concurrency
    return render(
        request,
        "worker.html",
        status=200 if problem is None else status_of(problem),
        worker=worker,
        is_to_drain=node.wish.is_to_drain,
        instances=running,
        most_tasks=MOST_TASKS,
        typed={"concurrency": str(wanted), **(typed or {})},
        problem=problem,
    )


def _to(worker_id: str) -> RedirectResponse:
    return RedirectResponse(f"/workers/{segment(worker_id)}", 303)
