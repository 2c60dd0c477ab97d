"""The page of a run with its tasks, and the log of a task."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from flowd.actions.clear_tasks import clear_run
from flowd.api.context import Context
from flowd.api.dashboard.gantt import gantt_of
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.run_frame import in_run_frame
from flowd.api.dashboard.words import segment
from flowd.db.views.dags import access_of
from flowd.db.views.listing import Listing, OneOf
from flowd.db.views.moves import moves_of_run
from flowd.db.views.runs import RunView, get_run, task_counts
from flowd.db.views.spans import spans_of_run
from flowd.db.views.task_instances import list_instances
from flowd.domain.ids import DagId, RunId
from flowd.domain.states import TaskState

router = APIRouter(prefix="/dags/{dag_id}/runs/{run_id}", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 100
GANTT_ROWS = 200


@router.get("")
async def run_page(
    request: Request,
    context: Context,
    dag_id: str,
    run_id: str,
    state: str = "",
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """Show a run and its task instances, those in one state alone where that is asked for."""
    chosen = state if state in list(TaskState) else ""
    async with context.backends.metastore.reading() as tx:
        run = await get_run(tx, context.cards, dag_id, run_id)
        wanted = {"dag_id": dag_id, "run_id": run_id} | ({"state": chosen} if chosen else {})
        conditions = tuple(OneOf(name, (value,)) for name, value in wanted.items())
        listing = Listing(conditions=conditions, limit=PAGE_ROWS, offset=offset)
        instances, total = await list_instances(tx, context.cards, listing)
        counts = await task_counts(tx, [run.key])
        access = await access_of(tx, context.cards, dag_id)
    return in_run_frame(
        request,
        "run.html",
        run,
        access,
        tab="",
        instances=instances,
        total=total,
        offset=offset,
        rows=PAGE_ROWS,
        by_state=counts.get(run.key, {}),
        chosen_state=chosen,
    )


@router.get("/gantt")
async def gantt_page(
    request: Request, context: Context, dag_id: str, run_id: str, offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """Show when each task of a run waited and worked."""
    now = context.backends.clock.now()
    async with context.backends.metastore.reading() as tx:
        run = await get_run(tx, context.cards, dag_id, run_id)
        spans, total = await spans_of_run(tx, run.key, limit=GANTT_ROWS, offset=offset)
        access = await access_of(tx, context.cards, dag_id)
    gantt = gantt_of(spans, since=run.started_at or run.queued_at, until=run.ended_at or now)
    return in_run_frame(
        request,
        "run_gantt.html",
        run,
        access,
        tab="/gantt",
        gantt=gantt,
        offset=offset,
        rows=GANTT_ROWS,
        total=total,
    )


@router.get("/details")
async def details_page(request: Request, context: Context, dag_id: str, run_id: str) -> Response:
    """Show all that is known of a run."""
    async with context.backends.metastore.reading() as tx:
        run = await get_run(tx, context.cards, dag_id, run_id)
        moves = await moves_of_run(tx, run.key)
        access = await access_of(tx, context.cards, dag_id)
    return in_run_frame(request, "run_details.html", run, access, tab="/details", moves=moves, facts=_facts(run))


def _facts(run: RunView) -> list[tuple[str, object]]:
    facts: dict[str, object] = {
        "run": run.run_id,
        "type": run.run_type,
        "triggered by": run.triggered_by + (f", {run.triggering_user}" if run.triggering_user else ""),
        "logical date": run.logical_date,
        "data interval begins": run.data_interval_start,
        "data interval ends": run.data_interval_end,
        "partition": run.partition_key,
        "due at": run.run_after,
        "queued at": run.queued_at,
        "started at": run.started_at,
        "ended at": run.ended_at,
        "version of the DAG": run.version.number,
        "bundle": run.bundle,
    }
    return [(name, value) for name, value in facts.items() if value is not None]


@router.post("/clear")
async def clear(context: Context, dag_id: str, run_id: str, only_failed: Annotated[bool, Form()] = True) -> Response:
    """Let the run's tasks, or its failed ones, run again."""
    await clear_run(context.backends, DagId(dag_id), RunId(run_id), only_failed=only_failed)
    return RedirectResponse(f"/dags/{segment(dag_id)}/runs/{segment(run_id)}", 303)
