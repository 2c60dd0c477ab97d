"""The page of a run with its tasks, and the log of a task."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from flowd.actions.clear_tasks import clear_run
from flowd.actions.why import why
from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.routes.logs import path_of
from flowd.api.storable import WholeNumber
from flowd.db import hitl
from flowd.db.views.listing import Listing, OneOf
from flowd.db.views.runs import get_run, task_counts
from flowd.db.views.task_instances import get_instance, list_instances
from flowd.db.views.tries import tries_of
from flowd.domain.ids import UNMAPPED, DagId, InstanceKey, RunId, TaskId

router = APIRouter(prefix="/dags/{dag_id}/runs/{run_id}", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 100


@router.get("")
async def run_page(
    request: Request, context: Context, dag_id: str, run_id: str, offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """Show a run and its task instances."""
    async with context.backends.metastore.reading() as tx:
        run = await get_run(tx, context.cards, dag_id, run_id)
        of_run = (OneOf("dag_id", (dag_id,)), OneOf("run_id", (run_id,)))
        listing = Listing(conditions=of_run, limit=PAGE_ROWS, offset=offset)
        instances, total = await list_instances(tx, context.cards, listing)
        counts = await task_counts(tx, [run.key])
    return render(
        request,
        "run.html",
        run=run,
        instances=instances,
        total=total,
        offset=offset,
        rows=PAGE_ROWS,
        by_state=counts.get(run.key, {}),
    )


@router.post("/clear")
async def clear(context: Context, dag_id: str, run_id: str, only_failed: Annotated[bool, Form()] = True) -> Response:
    """Let the run's tasks, or its failed ones, run again."""
    await clear_run(context.backends, DagId(dag_id), RunId(run_id), only_failed=only_failed)
    return RedirectResponse(f"/dags/{dag_id}/runs/{run_id}", 303)


@router.get("/tasks/{task_id}")
async def task_page(
    request: Request,
    context: Context,
    dag_id: str,
    run_id: str,
    task_id: str,
    try_number: WholeNumber | None = None,
    start: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Show a task instance: why it waits, and its log."""
    return await _task_page(request, context, (dag_id, run_id, task_id, UNMAPPED), try_number, start)


@router.get("/tasks/{task_id}/mapped/{map_index}")
async def mapped_task_page(
    request: Request,
    context: Context,
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: WholeNumber,
    try_number: WholeNumber | None = None,
    start: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Show a mapped task instance."""
    return await _task_page(request, context, (dag_id, run_id, task_id, map_index), try_number, start)


async def _task_page(
    request: Request,
    context: ApiContext,
    key: tuple[str, str, str, int],
    try_number: WholeNumber | None,
    start: int | None,
) -> Response:
    dag_id, run_id, task_id, map_index = key
    async with context.backends.metastore.reading() as tx:
        instance = await get_instance(tx, context.cards, dag_id, run_id, task_id, map_index)
        tries = await tries_of(tx, instance)
        asked = await hitl.find(tx, InstanceKey(instance.key), instance.try_number)
    reasons = await why(context.backends, DagId(dag_id), RunId(run_id), TaskId(task_id), map_index)
    number = try_number or instance.try_number
    path = path_of(context, instance, number)
    # Unasked, the end: it says why a task failed.
    window = await (context.logs.tail(path) if start is None else context.logs.window(path, start))
    return render(
        request,
        "task.html",
        instance=instance,
        tries=tries,
        number=number,
        reasons=reasons,
        asked=asked,
        window=window,
    )
