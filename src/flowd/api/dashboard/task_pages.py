"""The pages of a task instance: its log first, then all that is known of it; and the instances of a mapped task.

What stops one for good is here too: its buttons that first show a preview are those of `run_lists.py`.

Each page is there twice: of a task, and of one map index of it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from flowd.actions.mark import cancel_tasks
from flowd.actions.why import why
from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.answer_pages import OPTION
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.log_folds import folded
from flowd.api.dashboard.pages import render
from flowd.api.dashboard.param_fields import PARAM
from flowd.api.dashboard.run_frame import in_run_frame
from flowd.api.dashboard.words import segment
from flowd.api.routes.logs import path_of
from flowd.api.storable import WholeNumber
from flowd.db import hitl
from flowd.db.views.dags import access_of
from flowd.db.views.listing import Bounded, Comparison, Condition, Listing, OneOf
from flowd.db.views.moves import moves_of_instance
from flowd.db.views.runs import get_run
from flowd.db.views.task_instances import InstanceView, get_instance, list_instances, state_counts
from flowd.db.views.tries import TryView, get_try, tries_of
from flowd.db.views.xcoms import list_xcoms
from flowd.domain.dag_access import DagAccess
from flowd.domain.errors import NotFound
from flowd.domain.ids import UNMAPPED, DagId, InstanceKey, RunId, TaskId

router = APIRouter(
    prefix="/dags/{dag_id}/runs/{run_id}/tasks/{task_id}", route_class=PageRoute, include_in_schema=False
)

PAGE_ROWS = 100
MOST_XCOMS = 100
MOST_HITS = 200
TABS = (("", "Log"), ("/details", "Details"), ("/rendered", "Rendered"), ("/xcom", "XCom"))

_PAGE_BYTES = 128 * 1024
"""A page shows so much of a log at a time: more makes it slow, and nobody reads it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which task instance a page is about."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = UNMAPPED

    @property
    def root(self) -> str:
        """The path of its pages."""
        task = f"/dags/{segment(self.dag_id)}/runs/{segment(self.run_id)}/tasks/{segment(self.task_id)}"
        return task if self.map_index == UNMAPPED else f"{task}/mapped/{self.map_index}"


@router.get("")
async def log_page(
    request: Request,
    context: Context,
    dag_id: str,
    run_id: str,
    task_id: str,
    try_number: WholeNumber | None = None,
    start: Annotated[int | None, Query(ge=0)] = None,
    find: str = "",
) -> Response:
    """Show why a task instance waits, and its log; of a mapped task that has expanded, its instances."""
    place = Place(dag_id, run_id, task_id)
    if await _is_expanded(context, place):
        return RedirectResponse(f"{place.root}/mapped", 303)
    return await _log_page(request, context, place, try_number, start, find)


@router.get("/mapped")
async def mapped_page(
    request: Request,
    context: Context,
    dag_id: str,
    run_id: str,
    task_id: str,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """Show the instances of a mapped task."""
    place = Place(dag_id, run_id, task_id)
    async with context.backends.metastore.reading() as tx:
        run = await get_run(tx, context.cards, dag_id, run_id)
        of_task = Listing(conditions=_mapped(place), limit=PAGE_ROWS, offset=offset)
        instances, total = await list_instances(tx, context.cards, of_task)
        by_state = await state_counts(tx, run.key, task_id)
        access = await access_of(tx, context.cards, dag_id)
    if not total:
        raise NotFound(f"Task {task_id!r} has no mapped instances in run {run_id!r}")
    return in_run_frame(
        request,
        "mapped_task.html",
        run,
        access,
        tab="/tasks",
        task_id=task_id,
        instances=instances,
        total=total,
        offset=offset,
        rows=PAGE_ROWS,
        by_state=by_state,
    )


@router.get("/mapped/{map_index}")
async def mapped_log_page(
    request: Request,
    context: Context,
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: WholeNumber,
    try_number: WholeNumber | None = None,
    start: Annotated[int | None, Query(ge=0)] = None,
    find: str = "",
) -> Response:
    """Show a mapped task instance."""
    return await _log_page(request, context, Place(dag_id, run_id, task_id, map_index), try_number, start, find)


@router.get("/log")
async def raw_log(
    context: Context, dag_id: str, run_id: str, task_id: str, try_number: WholeNumber | None = None
) -> Response:
    """Send the whole log of a try as text."""
    return await _raw_log(context, Place(dag_id, run_id, task_id), try_number)


@router.get("/mapped/{map_index}/log")
async def mapped_raw_log(
    context: Context,
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: WholeNumber,
    try_number: WholeNumber | None = None,
) -> Response:
    """Send the whole log of a try of a mapped task instance as text."""
    return await _raw_log(context, Place(dag_id, run_id, task_id, map_index), try_number)


@router.get("/details")
async def details_page(request: Request, context: Context, dag_id: str, run_id: str, task_id: str) -> Response:
    """Show all that is known of a task instance and of each of its tries."""
    return await _details_page(request, context, Place(dag_id, run_id, task_id))


@router.get("/mapped/{map_index}/details")
async def mapped_details_page(
    request: Request, context: Context, dag_id: str, run_id: str, task_id: str, map_index: WholeNumber
) -> Response:
    """Show all that is known of a mapped task instance and of each of its tries."""
    return await _details_page(request, context, Place(dag_id, run_id, task_id, map_index))


@router.get("/rendered")
async def rendered_page(request: Request, context: Context, dag_id: str, run_id: str, task_id: str) -> Response:
    """Show the fields of a task as its last try rendered them."""
    return await _rendered_page(request, context, Place(dag_id, run_id, task_id))


@router.get("/mapped/{map_index}/rendered")
async def mapped_rendered_page(
    request: Request, context: Context, dag_id: str, run_id: str, task_id: str, map_index: WholeNumber
) -> Response:
    """Show the fields of a mapped task instance as its last try rendered them."""
    return await _rendered_page(request, context, Place(dag_id, run_id, task_id, map_index))


@router.get("/xcom")
async def xcom_page(request: Request, context: Context, dag_id: str, run_id: str, task_id: str) -> Response:
    """Show what a task left for others."""
    return await _xcom_page(request, context, Place(dag_id, run_id, task_id))


@router.get("/mapped/{map_index}/xcom")
async def mapped_xcom_page(
    request: Request, context: Context, dag_id: str, run_id: str, task_id: str, map_index: WholeNumber
) -> Response:
    """Show what a mapped task instance left for others."""
    return await _xcom_page(request, context, Place(dag_id, run_id, task_id, map_index))


@router.post("/cancel")
@router.post("/mapped/{map_index}/cancel")
async def cancel_task_instance(
    context: Context, dag_id: str, run_id: str, task_id: str, map_index: WholeNumber = UNMAPPED
) -> Response:
    """Stop a task instance for good, and return to its page."""
    await cancel_tasks(context.backends, DagId(dag_id), RunId(run_id), [(TaskId(task_id), map_index)])
    return RedirectResponse(Place(dag_id, run_id, task_id, map_index).root, 303)


async def _log_page(
    request: Request, context: ApiContext, place: Place, try_number: int | None, start: int | None, find: str
) -> Response:
    subject = await _subject(context, place)
    instance, tries = subject.instance, subject.tries
    async with context.backends.metastore.reading() as tx:
        asked = await hitl.find(tx, InstanceKey(instance.key), instance.try_number)
    names = DagId(place.dag_id), RunId(place.run_id), TaskId(place.task_id)
    reasons = await why(context.backends, *names, place.map_index)
    number = try_number or instance.try_number
    path = path_of(context, instance, number)
    # Unasked, the end: it says why a task failed.
    logs = context.logs.with_windows_of(_PAGE_BYTES)
    window = await (logs.tail(path) if start is None else logs.window(path, start))
    return _in_frame(
        request,
        "task.html",
        place,
        subject,
        tab="",
        tries=tries,
        number=number,
        reasons=reasons,
        asked=asked,
        # By the names of the form's fields, as links to a question have them.
        chosen=request.query_params.getlist(OPTION),
        filled={
            name.removeprefix(PARAM): text for name, text in request.query_params.items() if name.startswith(PARAM)
        },
        window=window,
        log=folded(window.lines) if window else (),
        start=start,
        find=find,
        hits=await logs.find(path, find, most=MOST_HITS) if find else None,
    )


async def _raw_log(context: ApiContext, place: Place, try_number: int | None) -> Response:
    subject = await _subject(context, place)
    instance = subject.instance
    number = try_number or instance.try_number
    async with context.backends.metastore.reading() as tx:
        await get_try(tx, instance, number)
    path = path_of(context, instance, number)

    async def text() -> AsyncIterator[str]:
        async for window in context.logs.windows(path):
            yield "".join(f"{line}\n" for line in window.lines)

    return StreamingResponse(text(), media_type="text/plain; charset=utf-8")


async def _details_page(request: Request, context: ApiContext, place: Place) -> Response:
    subject = await _subject(context, place)
    instance, tries = subject.instance, subject.tries
    async with context.backends.metastore.reading() as tx:
        moves = await moves_of_instance(tx, instance.key)
    facts: dict[str, object] = {
        "operator": instance.operator,
        "pool": f"{instance.pool}, {instance.pool_slots} slots" if instance.pool_slots > 1 else instance.pool,
        "queue": instance.queue,
        "priority": instance.priority,
        "tries": f"{instance.try_number} of {instance.max_tries + 1}",
        "workers lost": instance.lost or None,
        "waits until": instance.not_before,
        "scheduled at": instance.scheduled_at,
        "queued at": instance.queued_at,
        "started at": instance.started_at,
        "ended at": instance.ended_at,
        "note": instance.note,
    }
    known = [(name, value) for name, value in facts.items() if value is not None]
    return _in_frame(
        request, "task_details.html", place, subject, tab="/details", facts=known, tries=tries, moves=moves
    )


async def _rendered_page(request: Request, context: ApiContext, place: Place) -> Response:
    subject = await _subject(context, place)
    instance = subject.instance
    return _in_frame(request, "task_rendered.html", place, subject, tab="/rendered", fields=instance.rendered_fields)


async def _xcom_page(request: Request, context: ApiContext, place: Place) -> Response:
    subject = await _subject(context, place)
    names = {"dag_id": place.dag_id, "run_id": place.run_id, "task_id": place.task_id, "map_index": place.map_index}
    of_instance = tuple(OneOf(name, (value,)) for name, value in names.items())
    async with context.backends.metastore.reading() as tx:
        xcoms, total = await list_xcoms(tx, context.cards, Listing(conditions=of_instance, limit=MOST_XCOMS))
    return _in_frame(request, "task_xcom.html", place, subject, tab="/xcom", xcoms=xcoms, total=total)


@dataclass(frozen=True, slots=True)
class _Subject:
    """A task instance with its tries, and whom its DAG lets do what."""

    instance: InstanceView
    tries: list[TryView]
    access: DagAccess | None


async def _subject(context: ApiContext, place: Place) -> _Subject:
    async with context.backends.metastore.reading() as tx:
        instance = await get_instance(tx, context.cards, place.dag_id, place.run_id, place.task_id, place.map_index)
        tries = await tries_of(tx, instance)
        return _Subject(instance, tries, await access_of(tx, context.cards, place.dag_id))


def _in_frame(request: Request, template: str, place: Place, subject: _Subject, *, tab: str, **values: Any) -> Response:
    return render(
        request,
        template,
        instance=subject.instance,
        access=subject.access,
        root=place.root,
        tab=tab,
        task_tabs=TABS,
        **values,
    )


def _mapped(place: Place) -> tuple[Condition, ...]:
    names = {"dag_id": place.dag_id, "run_id": place.run_id, "task_id": place.task_id}
    of_task = (OneOf(name, (value,)) for name, value in names.items())
    return (*of_task, Bounded("map_index", Comparison.GT, UNMAPPED))


async def _is_expanded(context: ApiContext, place: Place) -> bool:
    async with context.backends.metastore.reading() as tx:
        listing = Listing(conditions=_mapped(place), limit=0)
        return (await list_instances(tx, context.cards, listing))[1] > 0
