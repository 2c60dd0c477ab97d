"""Changes by filter: what a list would show is cleared, marked or deleted, once a hash says that it was looked at."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from flowd.actions.by_filter import (
    MOST_FOUND,
    FilterAction,
    Found,
    change_instances,
    change_runs,
    check_fingerprint,
    fingerprint,
)
from flowd.api.context import ApiContext, Context
from flowd.api.dag_access import is_permitted
from flowd.api.errors import invalid
from flowd.api.guard import ApiRoute
from flowd.api.pagination import parameters_of, read_listing
from flowd.api.schemas.by_filter import ByFilterResponse, RunsByFilterBody, TaskInstancesByFilterBody
from flowd.db.views.listing import EVERYTHING, Listing, OneOf, View
from flowd.db.views.runs import RUNS, list_runs
from flowd.db.views.task_instances import INSTANCES, list_instances
from flowd.domain.dag_access import DELETE, EDIT_RUNS, DagPermission
from flowd.domain.errors import InvalidInput
from flowd.domain.states import RunState, TaskState

router = APIRouter(prefix="/api/v2/dags/{dag_id}", route_class=ApiRoute)
_OF_PAGES = {"limit", "offset", "order_by"}


def _parameters(view: View) -> dict[str, Any]:
    """Return the OpenAPI description of the filters of a list, without its pages."""
    return {"parameters": [one for one in parameters_of(view)["parameters"] if one["name"] not in _OF_PAGES]}


def _all_of(view: View, request: Request, **path: str) -> Listing:
    """Return everything that a request's filters find; an unknown one is no filter, and here that would be everything.

    Raises RequestValidationError for an unknown parameter, InvalidInput where there is neither a filter nor a name in
    the path.
    """
    known = {one["name"] for one in _parameters(view)["parameters"]}
    for name in request.query_params:
        if name not in known:
            raise invalid(("query", name), "there is no such filter", None, "extra_forbidden")
    named = {name: value for name, value in path.items() if value != EVERYTHING}
    if not request.query_params and not named:
        raise InvalidInput("the path is ~ and there is no filter: that is everything; wanted one of the two")
    conditions = [OneOf(name, (value,)) for name, value in named.items()]
    return replace(read_listing(view, request.query_params).where(*conditions), limit=MOST_FOUND + 1)


def wanted_runs(request: Request, dag_id: str) -> Listing:
    """Return which runs are meant."""
    return _all_of(RUNS, request, dag_id=dag_id)


def wanted_instances(request: Request, dag_id: str, dag_run_id: str) -> Listing:
    """Return which task instances are meant."""
    return _all_of(INSTANCES, request, dag_id=dag_id, run_id=dag_run_id)


@router.post("/dagRuns/byFilter", openapi_extra=_parameters(RUNS), tags=["DagRun"])
async def change_dag_runs_by_filter(
    context: Context, dag_id: str, body: RunsByFilterBody, listing: Annotated[Listing, Depends(wanted_runs)]
) -> ByFilterResponse:
    """Clear, mark or delete the runs that the filters of the list find: without a hash they are only shown."""
    async with context.backends.metastore.reading() as tx:
        runs, total = await list_runs(tx, context.cards, listing)
    _check_number(total)
    permission = DELETE if body.action is FilterAction.DELETE else EDIT_RUNS
    every = [Found(dag_id=run.dag_id, run_id=run.run_id, state=run.state.value) for run in runs]
    found = await _permitted(context, every, permission)
    options = {"state": body.state and body.state.value, "only_failed": body.only_failed}
    hash_ = fingerprint(body.action, options, found)
    if body.hash is None:
        return ByFilterResponse.of(found, hash_, None)
    check_fingerprint(body.hash, hash_)
    state = RunState(body.state.value) if body.state is not None else None
    failures = await change_runs(context.backends, body.action, found, state=state, only_failed=body.only_failed)
    return ByFilterResponse.of(found, hash_, failures)


@router.post(
    "/dagRuns/{dag_run_id}/taskInstances/byFilter", openapi_extra=_parameters(INSTANCES), tags=["Task Instance"]
)
async def change_task_instances_by_filter(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    body: TaskInstancesByFilterBody,
    listing: Annotated[Listing, Depends(wanted_instances)],
) -> ByFilterResponse:
    """Clear or mark the task instances that the filters of the list find: without a hash they are only shown."""
    async with context.backends.metastore.reading() as tx:
        instances, total = await list_instances(tx, context.cards, listing)
    _check_number(total)
    every = [
        Found(
            dag_id=one.dag_id,
            run_id=one.run_id,
            task_id=one.task_id,
            map_index=one.map_index,
            state=one.state.value,
            try_number=one.try_number,
        )
        for one in instances
    ]
    found = await _permitted(context, every, EDIT_RUNS)
    hash_ = fingerprint(body.action, {"new_state": body.new_state and body.new_state.value}, found)
    if body.hash is None:
        return ByFilterResponse.of(found, hash_, None)
    check_fingerprint(body.hash, hash_)
    state = TaskState(body.new_state.value) if body.new_state is not None else None
    return ByFilterResponse.of(found, hash_, await change_instances(context.backends, found, state))


async def _permitted(context: ApiContext, found: Sequence[Found], permission: DagPermission) -> list[Found]:
    """Return what is of DAGs with which the caller may do this."""
    dags = {one.dag_id for one in found}
    permitted = {dag_id for dag_id in dags if await is_permitted(context, dag_id, permission)}
    return [one for one in found if one.dag_id in permitted]


def _check_number(total: int) -> None:
    if total > MOST_FOUND:
        raise InvalidInput(f"the filter finds {total}, and one request changes at most {MOST_FOUND}: narrow it")
