"""The list of DAGs and the page of one, with the buttons that pause and trigger."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from flowd.actions.pause_dag import set_paused
from flowd.actions.trigger_run import trigger_run
from flowd.api.context import Caller, Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.db.views.dags import get_dag, list_dags
from flowd.db.views.import_errors import list_import_errors
from flowd.db.views.listing import Condition, Contains, Listing, OneOf, Order
from flowd.db.views.recent import recent_runs
from flowd.db.views.runs import list_runs, task_counts
from flowd.domain.ids import DagId
from flowd.domain.states import TriggeredBy

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
RECENT_RUNS = 12


@router.get("/")
@router.get("/dags")
async def dags_page(
    request: Request, context: Context, q: str = "", offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """List the DAGs with the state of their last runs."""
    conditions: list[Condition] = [OneOf("is_active", (True,))]
    if q:
        conditions.append(Contains("dag_id", q))
    async with context.backends.metastore.reading() as tx:
        listing = Listing(conditions=tuple(conditions), limit=PAGE_ROWS, offset=offset)
        dags, total = await list_dags(tx, context.cards, listing)
        recent = await recent_runs(tx, [dag.dag_id for dag in dags], per_dag=RECENT_RUNS)
        counts = await task_counts(tx, [runs[0].key for runs in recent.values() if runs])
        errors, error_total = await list_import_errors(tx, Listing(limit=5))
    return render(
        request,
        "dags.html",
        dags=dags,
        total=total,
        offset=offset,
        rows=PAGE_ROWS,
        q=q,
        recent=recent,
        tasks=counts,
        errors=errors,
        error_total=error_total,
    )


@router.get("/dags/{dag_id}")
async def dag_page(
    request: Request, context: Context, dag_id: str, offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """Show a DAG and its runs, the latest first."""
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        listing = Listing(
            conditions=(OneOf("dag_id", (dag_id,)),),
            order_by=(Order("run_after", is_descending=True),),
            limit=PAGE_ROWS,
            offset=offset,
        )
        runs, total = await list_runs(tx, context.cards, listing)
        counts = await task_counts(tx, [run.key for run in runs])
    return render(request, "dag.html", dag=dag, runs=runs, total=total, offset=offset, rows=PAGE_ROWS, tasks=counts)


@router.post("/dags/{dag_id}/pause")
async def pause(
    context: Context, dag_id: str, is_paused: Annotated[bool, Form()], back: Annotated[str, Form()] = ""
) -> Response:
    """Pause or unpause a DAG, and return to the page it was asked from."""
    await set_paused(context.backends, DagId(dag_id), is_paused)
    return RedirectResponse("/" if back == "list" else f"/dags/{dag_id}", 303)


@router.post("/dags/{dag_id}/trigger")
async def trigger(context: Context, caller: Caller, dag_id: str) -> Response:
    """Trigger a DAG, and go to the new run."""
    run = await trigger_run(
        context.backends,
        dag_id=DagId(dag_id),
        # As in Airflow's own form: a run that a person asks for is about now, and its templates have a date.
        logical_date=context.backends.clock.now(),
        triggered_by=TriggeredBy.UI,
        user=caller.username,
    )
    return RedirectResponse(f"/dags/{dag_id}/runs/{run.run_id}", 303)
