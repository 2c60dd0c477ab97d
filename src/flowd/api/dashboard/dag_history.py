"""What a DAG has done: its runs as a list, as a calendar and by their durations; and its tasks, each over its runs."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import Context
from flowd.api.dashboard.calendar_chart import EPOCH, calendar_of
from flowd.api.dashboard.dag_frame import in_dag_frame
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.preferences import preferences_of
from flowd.api.dashboard.words import segment
from flowd.db.views.dags import get_dag
from flowd.db.views.listing import Condition, Listing, OneOf, Order
from flowd.db.views.overview import runs_by_day
from flowd.db.views.recent import runs_before
from flowd.db.views.runs import list_runs_at, task_counts
from flowd.db.views.task_instances import list_instances_at
from flowd.domain.dag_spec import DagSpec
from flowd.domain.errors import NotFound
from flowd.domain.states import RunState, RunType
from flowd.domain.timetable import CustomTimetable, upcoming

router = APIRouter(prefix="/dags/{dag_id}", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
TREND_RUNS = 100
PAST, FUTURE = timedelta(days=300), timedelta(days=60)
MOST_PLANNED = 2_000
FACTS = ("max_active_runs", "max_active_tasks", "max_consecutive_failed_runs", "catchup", "fail_fast")


@router.get("/runs")
async def runs_page(
    request: Request,
    context: Context,
    dag_id: str,
    state: str = "",
    type: str = "",
    cursor: str = "",
) -> Response:
    """List the runs of a DAG, the latest first."""
    wanted = {"state": state if state in list(RunState) else "", "run_type": type if type in list(RunType) else ""}
    conditions: tuple[Condition, ...] = tuple(OneOf(name, (value,)) for name, value in wanted.items() if value)
    asked = {"state": wanted["state"], "type": wanted["run_type"]}
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        listing = Listing(
            conditions=(OneOf("dag_id", (dag_id,)), *conditions),
            order_by=(Order("run_after", is_descending=True), Order("id", is_descending=True)),
            limit=PAGE_ROWS,
        )
        found = await list_runs_at(tx, context.cards, listing, cursor)
        counts = await task_counts(tx, [run.key for run in found.items])
    return in_dag_frame(
        request,
        "dag_runs.html",
        dag,
        tab="/runs",
        found=found,
        query=lambda **changes: urlencode({name: value for name, value in (asked | changes).items() if value}),
        tasks=counts,
        chosen_state=wanted["state"],
        chosen_type=wanted["run_type"],
        run_states=list(RunState),
        run_types=list(RunType),
    )


@router.get("/gantt")
async def gantt_of_last_run(context: Context, dag_id: str) -> Response:
    """Go to the Gantt chart of the DAG's last run."""
    async with context.backends.metastore.reading() as tx:
        await get_dag(tx, context.cards, dag_id)
        runs = await runs_before(tx, dag_id, most=1)
    if not runs:
        raise NotFound(f"The Dag {dag_id!r} has not run yet, so there is nothing to draw; trigger it")
    return RedirectResponse(f"/dags/{segment(dag_id)}/runs/{segment(runs[0].run_id)}/gantt", 303)


@router.get("/calendar")
async def calendar_page(request: Request, context: Context, dag_id: str) -> Response:
    """Show the days of almost a year by how their runs went, and the planned ones of two months."""
    now = context.backends.clock.now()
    here = now.astimezone(preferences_of(request).zone)
    ahead = here.utcoffset() or timedelta()
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        counts = await runs_by_day(tx, dag_id, since=now - PAST, ahead_of_utc=ahead)
        graph = (await context.backends.graphs.get(tx, [dag.version.key]))[dag.version.key]
    planned = Counter(((at + ahead).date() - EPOCH).days for at in ([] if dag.is_paused else _planned(graph.dag, now)))
    calendar = calendar_of(counts, planned, first=(here - PAST).date(), last=(here + FUTURE).date())
    return in_dag_frame(request, "dag_calendar.html", dag, tab="/calendar", calendar=calendar, today=here.date())


@router.get("/duration")
async def duration_page(request: Request, context: Context, dag_id: str) -> Response:
    """Show how long the last runs took, with the median and the 95th percentile."""
    now = context.backends.clock.now()
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        runs = list(reversed(await runs_before(tx, dag_id, most=TREND_RUNS)))
    ended = sorted(run.duration_seconds(now) or 0.0 for run in runs if run.ended_at is not None)
    return in_dag_frame(
        request,
        "dag_duration.html",
        dag,
        tab="/duration",
        runs=runs,
        median=_percentile(ended, 0.5),
        p95=_percentile(ended, 0.95),
    )


@router.get("/tasks/{task_id}")
async def task_history_page(
    request: Request,
    context: Context,
    dag_id: str,
    task_id: str,
    cursor: str = "",
) -> Response:
    """Show a task of a DAG and how it went in its runs, the latest first."""
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        listing = Listing(
            conditions=(OneOf("dag_id", (dag_id,)), OneOf("task_id", (task_id,))),
            order_by=(Order("id", is_descending=True),),
            limit=PAGE_ROWS,
        )
        found = await list_instances_at(tx, context.cards, listing, cursor)
        graph = (await context.backends.graphs.get(tx, [dag.version.key]))[dag.version.key]
    task = next((one for name, one in graph.tasks.items() if name == task_id), None)
    if task is None and not found.items:
        raise NotFound(f"The Task with ID: `{task_id}` was not found in Dag `{dag_id}`")
    return in_dag_frame(
        request,
        "dag_task.html",
        dag,
        tab="/tasks",
        task=task,
        task_id=task_id,
        downstream=[other for name, below in graph.downstream.items() if name == task_id for other in below],
        found=found,
        query=lambda **changes: urlencode(changes),
    )


@router.get("/details")
async def details_page(request: Request, context: Context, dag_id: str) -> Response:
    """Show all that is known of a DAG."""
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        graph = (await context.backends.graphs.get(tx, [dag.version.key]))[dag.version.key]
    spec = graph.dag
    facts: dict[str, object] = {
        "DAG": spec.dag_id,
        "file": spec.file,
        "owners": ", ".join(dag.card.owners),
        "schedule": dag.card.timetable_summary,
        "in words": dag.card.timetable_description,
        "start date": spec.start_date,
        "end date": spec.end_date,
        "next run": dag.next_run_after,
        "read at": dag.parsed_at,
        "read in": f"{dag.parse_seconds:.2f} s",
        "version": dag.version.number,
        "bundle": dag.bundle,
        "tasks": len(graph.tasks),
        "run timeout": spec.dagrun_timeout,
    } | {name: getattr(spec, name) for name in FACTS}
    return in_dag_frame(
        request,
        "dag_details.html",
        dag,
        tab="/details",
        facts=[(name, value) for name, value in facts.items() if value is not None],
        doc=spec.presentation.get("doc_md"),
        params=spec.params,
    )


def _planned(dag: DagSpec, now: datetime) -> list[datetime]:
    if isinstance(dag.timetable, CustomTimetable):
        # Only its author's code knows, and that never runs in a server.
        return []
    start = max(now, dag.start_date) if dag.start_date else now
    # No further than is drawn: each moment of a cron expression costs its search.
    end = min(now + FUTURE, dag.end_date) if dag.end_date else now + FUTURE
    runs = upcoming(dag.timetable, None, start_date=start, end_date=end, catchup=True, now=now, limit=MOST_PLANNED)
    return [run.run_after for run in runs if run.run_after <= now + FUTURE]


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
