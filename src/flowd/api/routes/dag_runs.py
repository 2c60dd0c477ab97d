"""DagRuns: lists, trigger, clear and mark."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request

from flowd.actions.clear_tasks import ClearSelection, clear_tasks
from flowd.actions.mark import mark_run
from flowd.actions.trigger_run import trigger_run
from flowd.api.context import ApiContext, Caller, Context
from flowd.api.guard import ApiRoute
from flowd.api.operator import operator_of
from flowd.api.pagination import bounds, listing_of, order_of, parameters_of
from flowd.api.schemas.runs import (
    DagRunClearBody,
    DagRunCollectionResponse,
    DagRunPatchBody,
    DagRunResponse,
    DagRunsBatchBody,
    TriggerDagRunBody,
)
from flowd.api.schemas.task_instances import TaskInstanceCollectionResponse, TaskInstanceResponse
from flowd.db.ledger.notes import set_note
from flowd.db.views.dags import get_dag
from flowd.db.views.listing import EVERYTHING, MOST_ROWS, Condition, Contains, Listing, OneOf
from flowd.db.views.runs import RUNS, get_run, is_about, list_runs, list_runs_at
from flowd.db.views.task_instances import instances_by_key
from flowd.domain.data_interval import DataInterval
from flowd.domain.errors import InvalidInput
from flowd.domain.ids import DagId, InstanceKey, RunId
from flowd.domain.states import RunState, TriggeredBy

router = APIRouter(prefix="/api/v2/dags/{dag_id}", route_class=ApiRoute, tags=["DagRun"])
_DATES = ("run_after", "logical_date", "start_date", "end_date", "duration")


@router.get("/dagRuns", openapi_extra=parameters_of(RUNS))
async def get_dag_runs(
    context: Context,
    dag_id: str,
    listing: Annotated[Listing, Depends(listing_of(RUNS))],
    conf_contains: str | None = None,
    consuming_asset_pattern: str | None = None,
    cursor: str | None = None,
) -> DagRunCollectionResponse:
    """List the runs of a DAG, or with `~` of all: by offset, or from an empty cursor on by `next_cursor`."""
    if conf_contains:
        listing = listing.where(Contains("conf", conf_contains))
    async with context.backends.metastore.reading() as tx:
        if dag_id != EVERYTHING:
            await get_dag(tx, context.cards, dag_id)
            listing = listing.where(OneOf("dag_id", (dag_id,)))
        about = (is_about(consuming_asset_pattern),) if consuming_asset_pattern not in (None, EVERYTHING) else ()
        if cursor is not None:
            return DagRunCollectionResponse.of(await list_runs_at(tx, context.cards, listing, cursor, *about))
        runs, total = await list_runs(tx, context.cards, listing, *about)
    return DagRunCollectionResponse(dag_runs=[DagRunResponse.of(run) for run in runs], total_entries=total)


@router.post("/dagRuns/list")
async def list_dag_runs_batch(context: Context, dag_id: str, body: DagRunsBatchBody) -> DagRunCollectionResponse:
    """List runs of several DAGs; the path's DAG must be `~`."""
    check_wildcard("dag_id", dag_id)
    conditions: list[Condition] = [one for name in _DATES for one in bounds(name, body.model_dump())]
    if body.dag_ids is not None:
        conditions.append(OneOf("dag_id", tuple(body.dag_ids)))
    if body.states is not None:
        conditions.append(OneOf("state", tuple(state.value for state in body.states if state)))
    if body.conf_contains:
        conditions.append(Contains("conf", body.conf_contains))
    listing = Listing(
        conditions=tuple(conditions),
        order_by=order_of(RUNS, [body.order_by] if body.order_by else []),
        limit=min(body.page_limit, MOST_ROWS),
        offset=body.page_offset,
    )
    async with context.backends.metastore.reading() as tx:
        runs, total = await list_runs(tx, context.cards, listing)
    return DagRunCollectionResponse(dag_runs=[DagRunResponse.of(run) for run in runs], total_entries=total)


@router.post("/dagRuns")
async def trigger_dag_run(
    request: Request,
    context: Context,
    caller: Caller,
    dag_id: str,
    body: TriggerDagRunBody,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> DagRunResponse:
    """Make a run of a DAG. The same Idempotency-Key returns the run that it made the first time."""
    run = await trigger_run(
        context.backends,
        dag_id=DagId(dag_id),
        run_id=RunId(body.dag_run_id) if body.dag_run_id is not None else None,
        logical_date=body.logical_date,
        data_interval=interval_of(body.data_interval_start, body.data_interval_end),
        run_after=body.run_after,
        conf=body.conf,
        note=body.note,
        partition_key=body.partition_key,
        triggered_by=TriggeredBy.CLI if operator_of(request) else TriggeredBy.REST_API,
        user=caller.username,
        idempotency_key=idempotency_key,
    )
    return await _shown(context, dag_id, run.run_id)


@router.get("/dagRuns/{dag_run_id}")
async def get_dag_run(context: Context, dag_id: str, dag_run_id: str) -> DagRunResponse:
    """Return a run."""
    return await _shown(context, dag_id, dag_run_id)


@router.patch("/dagRuns/{dag_run_id}")
async def patch_dag_run(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    body: DagRunPatchBody,
    update_mask: Annotated[list[str] | None, Query()] = None,
) -> DagRunResponse:
    """Say how a run ended, put it back to queued, or leave a note."""
    await patch_run(context, dag_id, dag_run_id, body, update_mask)
    return await _shown(context, dag_id, dag_run_id)


async def patch_run(
    context: ApiContext, dag_id: str, dag_run_id: str, body: DagRunPatchBody, update_mask: list[str] | None
) -> None:
    """Change of a run what the mask names, or without one what is given."""
    named = fields_named(body.model_fields_set, update_mask, tuple(DagRunPatchBody.model_fields))
    await _shown(context, dag_id, dag_run_id)
    if "state" in named and body.state is not None:
        await mark_run(context.backends, DagId(dag_id), RunId(dag_run_id), RunState(body.state.value))
    if "note" in named:
        async with context.backends.metastore.transaction() as tx:
            await set_note(tx, DagId(dag_id), RunId(dag_run_id), body.note)


@router.post("/dagRuns/{dag_run_id}/clear")
async def clear_dag_run(
    context: Context, dag_id: str, dag_run_id: str, body: DagRunClearBody
) -> TaskInstanceCollectionResponse | DagRunResponse:
    """Let a run's tasks, or its failed ones, run again; a dry run says which."""
    keys = await clear_run(context, dag_id, dag_run_id, body)
    if not body.dry_run:
        return await _shown(context, dag_id, dag_run_id)
    async with context.backends.metastore.reading() as tx:
        shapes = [TaskInstanceResponse.of(one) for one in await instances_by_key(tx, context.cards, keys)]
    return TaskInstanceCollectionResponse(task_instances=shapes, total_entries=len(shapes))


async def clear_run(context: ApiContext, dag_id: str, dag_run_id: str, body: DagRunClearBody) -> list[InstanceKey]:
    """Clear of a run what the body says, and return the instances; a dry run only returns them."""
    if body.only_new:
        raise InvalidInput("only_new is not supported: a cleared run keeps the tasks it began with; wanted false")
    selection = ClearSelection(
        dag_id=DagId(dag_id),
        run_id=RunId(dag_run_id),
        only_failed=body.only_failed,
        run_on_latest_version=bool(body.run_on_latest_version),
    )
    keys = await clear_tasks(context.backends, selection, dry_run=body.dry_run)
    if body.note is not None and not body.dry_run:
        async with context.backends.metastore.transaction() as tx:
            await set_note(tx, DagId(dag_id), RunId(dag_run_id), body.note)
    return keys


def interval_of(start: datetime | None, end: datetime | None) -> DataInterval | None:
    """Return the interval between two moments, None without them; raise InvalidInput where it ends before it begins."""
    if start is None or end is None:
        return None
    if end < start:
        raise InvalidInput(f"data_interval_end {end.isoformat()} lies before data_interval_start {start.isoformat()}")
    return DataInterval(start, end)


def check_wildcard(name: str, value: str) -> None:
    """Raise InvalidInput where the path of a batch list names one thing instead of `~`."""
    if value != EVERYTHING:
        raise InvalidInput(f"the {name} in the path is {value!r}; wanted ~, and those meant in the body")


def named_in(what: str, path: str, body: str | None) -> str:
    """Return what is meant: what the path names, or with `~` there the body; raise InvalidInput for both or neither."""
    if path != EVERYTHING:
        if body not in (None, path):
            raise InvalidInput(f"the path names the {what} {path!r}, and the body {body!r}")
        return path
    if body is None:
        raise InvalidInput(f"the path names no {what}; wanted one in the body")
    return body


def fields_named(given: set[str], update_mask: list[str] | None, known: tuple[str, ...]) -> set[str]:
    """Return the fields that a patch changes: those of the mask, or without one those given."""
    if not update_mask:
        return set(given)
    if unknown := set(update_mask) - set(known):
        raise InvalidInput(f"update_mask names {', '.join(sorted(unknown))}; wanted some of {', '.join(known)}")
    return set(update_mask)


async def _shown(context: ApiContext, dag_id: str, run_id: str) -> DagRunResponse:
    async with context.backends.metastore.reading() as tx:
        return DagRunResponse.of(await get_run(tx, context.cards, dag_id, run_id))
