"""Runs and task instances of all DAGs as lists, and what is done with many at once: each after a look at what it means.

A change is asked for twice: the first POST shows what would change, the second, with `is_sure`, changes it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from flowd.actions.clear_tasks import ClearSelection, clear_run, clear_tasks
from flowd.actions.mark import cancel_tasks, mark_run, mark_tasks
from flowd.api.context import ApiContext, Context
from flowd.api.dag_access import check_dag
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.local_path import local_path
from flowd.api.dashboard.pages import render
from flowd.db.transaction import Transaction
from flowd.db.views.dags import names_beginning
from flowd.db.views.listing import MOST_ROWS, BeginsWith, Condition, Contains, Listing, OneOf, Order
from flowd.db.views.runs import RunView, list_runs, list_runs_at
from flowd.db.views.task_instances import (
    InstanceView,
    instances_by_key,
    list_instances_at,
    unfinished_of_runs,
)
from flowd.domain.dag_access import EDIT_RUNS
from flowd.domain.errors import InvalidInput, NotFound
from flowd.domain.ids import DagId, RunId, TaskId
from flowd.domain.states import RunState, RunType, TaskState

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
MOST_NAMED = 20
MOST_SHOWN = 100
"""How many affected instances a preview names; of more it says how many."""

RUN_MARKS = (RunState.SUCCESS, RunState.FAILED)
TASK_MARKS = (TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED)


@router.get("/dag_runs")
async def dag_runs_page(
    request: Request, context: Context, dag: str = "", state: str = "", type: str = "", cursor: str = ""
) -> Response:
    """List the runs of all DAGs, the latest first."""
    asked = {
        "dag": dag,
        "state": state if state in list(RunState) else "",
        "type": type if type in list(RunType) else "",
    }
    async with context.backends.metastore.reading() as tx:
        conditions = await _conditions(tx, asked, {"state": "state", "type": "run_type"})
        listing = Listing(conditions=conditions, order_by=(Order("id", is_descending=True),), limit=PAGE_ROWS)
        found = await list_runs_at(tx, context.cards, listing, cursor)
    return render(
        request,
        "dag_runs_all.html",
        found=found,
        asked=asked,
        run_states=list(RunState),
        run_types=list(RunType),
        marks=RUN_MARKS,
        query=lambda **changes: _query(asked | changes),
    )


@router.get("/task_instances")
async def task_instances_page(
    request: Request,
    context: Context,
    dag: str = "",
    task: str = "",
    state: str = "",
    pool: str = "",
    queue: str = "",
    cursor: str = "",
) -> Response:
    """List the task instances of all DAGs, the latest first."""
    asked = {
        "dag": dag,
        "task": task,
        "state": state if state in list(TaskState) else "",
        "pool": pool,
        "queue": queue,
    }
    async with context.backends.metastore.reading() as tx:
        conditions = await _conditions(tx, asked, {"state": "state", "pool": "pool", "queue": "queue"})
        if task:
            conditions += (Contains("task_id", task),)
        listing = Listing(conditions=conditions, order_by=(Order("id", is_descending=True),), limit=PAGE_ROWS)
        found = await list_instances_at(tx, context.cards, listing, cursor)
    return render(
        request,
        "task_instances_all.html",
        found=found,
        asked=asked,
        states=list(TaskState),
        marks=TASK_MARKS,
        query=lambda **changes: _query(asked | changes),
    )


@router.post("/dag_runs/clear")
async def clear_runs(
    request: Request,
    context: Context,
    run: Annotated[Sequence[int], Form()] = (),
    only_failed: Annotated[bool, Form()] = False,
    is_sure: Annotated[bool, Form()] = False,
    back: Annotated[str, Form()] = "/dag_runs",
) -> Response:
    """Let the tasks of these runs, or the failed ones, run again."""
    runs = await _runs(context, run)
    keys: list[int] = []
    for one in runs:
        keys += await clear_run(
            context.backends, DagId(one.dag_id), RunId(one.run_id), only_failed=only_failed, dry_run=not is_sure
        )
    if is_sure:
        return RedirectResponse(local_path(back), 303)
    what = f"Run {'the failed tasks' if only_failed else 'every task'} of these runs again"
    fields = [("run", str(one.key)) for one in runs] + [("only_failed", "true" if only_failed else "false")]
    return await _preview(request, context, what, "/dag_runs/clear", fields, keys, back)


@router.post("/dag_runs/mark")
async def mark_runs(
    request: Request,
    context: Context,
    run: Annotated[Sequence[int], Form()] = (),
    state: Annotated[str, Form()] = "",
    is_sure: Annotated[bool, Form()] = False,
    back: Annotated[str, Form()] = "/dag_runs",
) -> Response:
    """End these runs as success or failed."""
    runs = await _runs(context, run)
    if state not in RUN_MARKS:
        raise InvalidInput(f"a run cannot be marked {state!r}; wanted one of {', '.join(RUN_MARKS)}")
    if is_sure:
        for one in runs:
            await mark_run(context.backends, DagId(one.dag_id), RunId(one.run_id), RunState(state))
        return RedirectResponse(local_path(back), 303)
    async with context.backends.metastore.reading() as tx:
        keys = [one.key for one in runs]
        instances, total = await unfinished_of_runs(tx, context.cards, keys, limit=MOST_SHOWN)
    fields = [("run", str(one.key)) for one in runs] + [("state", state)]
    what = f"End these runs as {state}; their unfinished tasks end with them"
    return render(
        request,
        "preview.html",
        what=what,
        action="/dag_runs/mark",
        fields=fields,
        runs=runs,
        instances=instances,
        total=total,
        back=local_path(back),
    )


@router.post("/task_instances/clear")
async def clear_instances(
    request: Request,
    context: Context,
    instance: Annotated[Sequence[int], Form()] = (),
    downstream: Annotated[bool, Form()] = False,
    upstream: Annotated[bool, Form()] = False,
    past: Annotated[bool, Form()] = False,
    future: Annotated[bool, Form()] = False,
    only_failed: Annotated[bool, Form()] = False,
    is_sure: Annotated[bool, Form()] = False,
    back: Annotated[str, Form()] = "/task_instances",
) -> Response:
    """Let these task instances run again, with whatever else is asked for."""
    instances = await _instances(context, instance)
    keys: list[int] = []
    for (dag_id, run_id), some in _by_run(instances).items():
        selection = ClearSelection(
            dag_id=DagId(dag_id),
            run_id=RunId(run_id),
            task_ids=[TaskId(task_id) for task_id in dict.fromkeys(one.task_id for one in some)],
            map_indexes=_map_indexes(some),
            include_downstream=downstream,
            include_upstream=upstream,
            include_past=past,
            include_future=future,
            only_failed=only_failed,
        )
        keys += await clear_tasks(context.backends, selection, dry_run=not is_sure)
    if is_sure:
        return RedirectResponse(local_path(back), 303)
    flags = {
        "downstream": downstream,
        "upstream": upstream,
        "past": past,
        "future": future,
        "only_failed": only_failed,
    }
    fields = [("instance", str(one.key)) for one in instances] + [(name, "true") for name, on in flags.items() if on]
    return await _preview(request, context, "Run these tasks again", "/task_instances/clear", fields, keys, back)


@router.post("/task_instances/mark")
async def mark_instances(
    request: Request,
    context: Context,
    instance: Annotated[Sequence[int], Form()] = (),
    state: Annotated[str, Form()] = "",
    is_sure: Annotated[bool, Form()] = False,
    back: Annotated[str, Form()] = "/task_instances",
) -> Response:
    """Say of these task instances how they ended."""
    instances = await _instances(context, instance)
    if state not in TASK_MARKS:
        raise InvalidInput(f"a task instance cannot be marked {state!r}; wanted one of {', '.join(TASK_MARKS)}")
    if is_sure:
        for (dag_id, run_id), some in _by_run(instances).items():
            tasks = [(TaskId(one.task_id), one.map_index) for one in some]
            await mark_tasks(context.backends, DagId(dag_id), RunId(run_id), tasks, TaskState(state))
        return RedirectResponse(local_path(back), 303)
    fields = [("instance", str(one.key)) for one in instances] + [("state", state)]
    keys = [one.key for one in instances]
    what = f"Mark these tasks as {state}; those after them are judged anew"
    return await _preview(request, context, what, "/task_instances/mark", fields, keys, back)


@router.post("/task_instances/cancel")
async def cancel_instances(
    request: Request,
    context: Context,
    instance: Annotated[Sequence[int], Form()] = (),
    is_sure: Annotated[bool, Form()] = False,
    back: Annotated[str, Form()] = "/task_instances",
) -> Response:
    """Stop these task instances for good, but for those that have ended."""
    instances = [one for one in await _instances(context, instance) if not one.state.is_finished]
    if is_sure:
        for (dag_id, run_id), some in _by_run(instances).items():
            tasks = [(TaskId(one.task_id), one.map_index) for one in some]
            await cancel_tasks(context.backends, DagId(dag_id), RunId(run_id), tasks)
        return RedirectResponse(local_path(back), 303)
    fields = [("instance", str(one.key)) for one in instances]
    keys = [one.key for one in instances]
    what = "Cancel these tasks; their processes are killed, they fail, and no retry follows"
    return await _preview(request, context, what, "/task_instances/cancel", fields, keys, back)


async def _preview(
    request: Request,
    context: ApiContext,
    what: str,
    action: str,
    fields: Sequence[tuple[str, str]],
    keys: Sequence[int],
    back: str,
) -> Response:
    async with context.backends.metastore.reading() as tx:
        shown = await instances_by_key(tx, context.cards, list(dict.fromkeys(keys))[:MOST_SHOWN])
    return render(
        request,
        "preview.html",
        what=what,
        action=action,
        fields=fields,
        runs=[],
        instances=shown,
        total=len(set(keys)),
        back=local_path(back),
    )


async def _runs(context: ApiContext, keys: Sequence[int]) -> list[RunView]:
    """Return the runs that were chosen; each must be one that the caller may change."""
    _check_count(keys, "run")
    async with context.backends.metastore.reading() as tx:
        listing = Listing(conditions=(OneOf("id", tuple(keys)),), limit=MOST_ROWS)
        runs, _ = await list_runs(tx, context.cards, listing)
    _check_found(keys, {one.key for one in runs}, "run")
    for dag_id in {one.dag_id for one in runs}:
        await check_dag(context, dag_id, EDIT_RUNS)
    return runs


async def _instances(context: ApiContext, keys: Sequence[int]) -> list[InstanceView]:
    _check_count(keys, "task")
    async with context.backends.metastore.reading() as tx:
        instances = await instances_by_key(tx, context.cards, keys)
    _check_found(keys, {one.key for one in instances}, "task")
    for dag_id in {one.dag_id for one in instances}:
        await check_dag(context, dag_id, EDIT_RUNS)
    return instances


def _check_count(keys: Sequence[int], word: str) -> None:
    if not keys:
        raise InvalidInput(f"no {word} was chosen: go back, and tick at least one")
    if len(keys) > MOST_ROWS:
        raise InvalidInput(f"{len(keys)} were chosen; wanted at most {MOST_ROWS} at a time")


def _check_found(keys: Sequence[int], found: Collection[int], word: str) -> None:
    missing = set(keys) - set(found)
    if missing:
        raise NotFound(f"{len(missing)} of what was chosen is not there any more: go back, and choose each {word} anew")


def _by_run(instances: Sequence[InstanceView]) -> Mapping[tuple[str, str], list[InstanceView]]:
    found: dict[tuple[str, str], list[InstanceView]] = defaultdict(list)
    for one in instances:
        found[one.dag_id, one.run_id].append(one)
    return found


def _map_indexes(instances: Sequence[InstanceView]) -> dict[TaskId, list[int]]:
    found: dict[TaskId, list[int]] = defaultdict(list)
    for one in instances:
        if one.map_index >= 0:
            found[TaskId(one.task_id)].append(one.map_index)
    return dict(found)


async def _conditions(tx: Transaction, asked: Mapping[str, str], fields: Mapping[str, str]) -> tuple[Condition, ...]:
    chosen: list[Condition] = [OneOf(field, (asked[name],)) for name, field in fields.items() if asked[name]]
    if asked["dag"]:
        # By the DAGs whose names begin so, where they are few: an index finds theirs, and no beginning of a name.
        names = await names_beginning(tx, asked["dag"], most=MOST_NAMED)
        chosen.append(BeginsWith("dag_id", asked["dag"]) if names is None else OneOf("dag_id", names))
    return tuple(chosen)


def _query(values: Mapping[str, Any]) -> str:
    return urlencode({name: value for name, value in values.items() if value})
