"""Saying how task instances ended, or leaving a note on them: one, a mapped one, a group, or many at once."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query

from flowd.actions.mark import mark_tasks
from flowd.api.bulk import BulkBody, BulkResponse, Noun, perform
from flowd.api.context import ApiContext, Context
from flowd.api.dag_access import check_dag
from flowd.api.errors import invalid
from flowd.api.guard import ApiRoute
from flowd.api.routes.dag_runs import fields_named, named_in
from flowd.api.routes.task_changes import by_key
from flowd.api.routes.task_instances import RUN, TASK, collection
from flowd.api.schemas.task_instances import (
    BulkTaskInstanceBody,
    MarkableState,
    PatchTaskInstanceBody,
    TaskInstanceCollectionResponse,
)
from flowd.api.storable import WholeNumber
from flowd.db.ledger.notes import set_task_notes
from flowd.db.transaction import Transaction
from flowd.db.views.listing import Bounded, Comparison, Condition, Listing, OneOf
from flowd.db.views.runs import RunView, get_run
from flowd.db.views.task_instances import InstanceView, list_instances
from flowd.domain.dag_access import EDIT_RUNS
from flowd.domain.errors import NotFound
from flowd.domain.graph import Graph
from flowd.domain.ids import DagId, InstanceKey, RunId, TaskId
from flowd.domain.states import TaskState
from flowd.domain.task_groups import tasks_by_group

router = APIRouter(prefix="/api/v2/dags/{dag_id}", route_class=ApiRoute, tags=["Task Instance"])
GROUP = f"{RUN}/taskGroupInstances/{{group_id}}"
Mask = Annotated[list[str] | None, Query()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What of a run a patch is about: a task, all its map indexes or one, or a group."""

    dag_id: str
    run_id: str
    task_id: str | None = None
    group_id: str | None = None
    map_index: int | None = None


@router.patch(TASK)
async def patch_task_instance(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    body: PatchTaskInstanceBody,
    map_index: WholeNumber | None = None,
    update_mask: Mask = None,
) -> TaskInstanceCollectionResponse:
    """Say how a task instance ended, and others with it, or leave a note on it; return them."""
    target = Target(dag_id=dag_id, run_id=dag_run_id, task_id=task_id, map_index=map_index)
    return await _patch(context, target, body, update_mask)


@router.patch(f"{TASK}/dry_run")
async def patch_task_instance_dry_run(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    body: PatchTaskInstanceBody,
    map_index: WholeNumber | None = None,
    update_mask: Mask = None,
) -> TaskInstanceCollectionResponse:
    """Return the task instances that the same patch would change."""
    target = Target(dag_id=dag_id, run_id=dag_run_id, task_id=task_id, map_index=map_index)
    return await _would_patch(context, target, body, update_mask)


@router.patch(f"{TASK}/{{map_index}}")
async def patch_mapped_task_instance(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    map_index: WholeNumber,
    body: PatchTaskInstanceBody,
    update_mask: Mask = None,
) -> TaskInstanceCollectionResponse:
    """Say how a mapped task instance ended, or leave a note on it."""
    return await patch_task_instance(context, dag_id, dag_run_id, task_id, body, map_index, update_mask)


@router.patch(f"{TASK}/{{map_index}}/dry_run")
async def patch_mapped_dry_run(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    map_index: WholeNumber,
    body: PatchTaskInstanceBody,
    update_mask: Mask = None,
) -> TaskInstanceCollectionResponse:
    """Return the task instances that the same patch would change."""
    return await patch_task_instance_dry_run(context, dag_id, dag_run_id, task_id, body, map_index, update_mask)


@router.patch(GROUP)
async def patch_task_group(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    group_id: str,
    body: PatchTaskInstanceBody,
    update_mask: Mask = None,
) -> TaskInstanceCollectionResponse:
    """Say how every task instance of a group ended, or leave a note on them."""
    return await _patch(context, Target(dag_id=dag_id, run_id=dag_run_id, group_id=group_id), body, update_mask)


@router.patch(f"{GROUP}/dry_run")
async def patch_task_group_dry_run(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    group_id: str,
    body: PatchTaskInstanceBody,
    update_mask: Mask = None,
) -> TaskInstanceCollectionResponse:
    """Return the task instances that the same patch would change."""
    return await _would_patch(context, Target(dag_id=dag_id, run_id=dag_run_id, group_id=group_id), body, update_mask)


@router.patch(f"{RUN}/taskInstances")
async def bulk_task_instances(
    context: Context, dag_id: str, dag_run_id: str, body: BulkBody[BulkTaskInstanceBody]
) -> BulkResponse:
    """Say of many task instances how they ended; with `~` in the path each names its DAG and run."""

    def target(entity: BulkTaskInstanceBody) -> Target:
        return Target(
            dag_id=named_in("dag_id", dag_id, entity.dag_id),
            run_id=named_in("dag_run_id", dag_run_id, entity.dag_run_id),
            task_id=entity.task_id,
            map_index=entity.map_index,
        )

    def name(entity: BulkTaskInstanceBody) -> str:
        one = target(entity)
        index = "" if one.map_index is None else f"[{one.map_index}]"
        return f"{one.dag_id}.{one.run_id}.{one.task_id}{index}"

    async def known(entities: Sequence[BulkTaskInstanceBody]) -> set[str]:
        async with context.backends.metastore.reading() as tx:
            return {name(one) for one in entities if await _is_there(tx, context, target(one))}

    async def update(entity: BulkTaskInstanceBody, mask: list[str] | None) -> None:
        await check_dag(context, target(entity).dag_id, EDIT_RUNS)
        given = entity.model_dump(include=set(PatchTaskInstanceBody.model_fields) & entity.model_fields_set)
        await _patch(context, target(entity), PatchTaskInstanceBody(**given), mask)

    return await perform(
        body,
        Noun(
            plural="task instances",
            named=lambda task_id: BulkTaskInstanceBody.model_construct(task_id=task_id),
            name=name,
            known=known,
            update=update,
        ),
    )


async def _patch(
    context: ApiContext, target: Target, body: PatchTaskInstanceBody, update_mask: list[str] | None
) -> TaskInstanceCollectionResponse:
    state, has_note = _said(body, update_mask)
    named, chosen = await _select(context, target, body, is_wide=state is not None)
    if state is not None:
        by_run: dict[str, list[tuple[TaskId, int]]] = defaultdict(list)
        for one in chosen:
            by_run[one.run_id].append((TaskId(one.task_id), one.map_index))
        for run_id, tasks in by_run.items():
            marked = TaskState(state.value)
            await mark_tasks(context.backends, DagId(target.dag_id), RunId(run_id), tasks, marked)
    if has_note:
        async with context.backends.metastore.transaction() as tx:
            await set_task_notes(tx, [InstanceKey(one.key) for one in named], body.note)
    return await by_key(context, [InstanceKey(one.key) for one in chosen])


async def _would_patch(
    context: ApiContext, target: Target, body: PatchTaskInstanceBody, update_mask: list[str] | None
) -> TaskInstanceCollectionResponse:
    state, _ = _said(body, update_mask)
    _, chosen = await _select(context, target, body, is_wide=state is not None)
    return collection(chosen, len(chosen))


def _said(body: PatchTaskInstanceBody, update_mask: list[str] | None) -> tuple[MarkableState | None, bool]:
    """Return the state that is wanted, and whether there is a note."""
    named = fields_named(body.model_fields_set, update_mask, tuple(PatchTaskInstanceBody.model_fields))
    if "new_state" in named and body.new_state is None:
        raise invalid(("body", "new_state"), "'new_state' should not be empty", None, "missing")
    if not named & {"new_state", "note"}:
        raise invalid(("body",), "a new_state or a note is wanted", None, "missing")
    return (body.new_state if "new_state" in named else None), "note" in named


async def _select(
    context: ApiContext, target: Target, body: PatchTaskInstanceBody, *, is_wide: bool
) -> tuple[list[InstanceView], list[InstanceView]]:
    """Return the instances that are named, and with them those that the body includes where it is `is_wide`."""
    async with context.backends.metastore.reading() as tx:
        run = await get_run(tx, context.cards, target.dag_id, target.run_id)
        graph = (await context.backends.graphs.get(tx, [run.version.key]))[run.version.key]
        tasks = _tasks(graph, target)
        named = await _instances(tx, context, target, tasks, (OneOf("run_id", (target.run_id,)),))
        if not is_wide:
            found = named
        else:
            above = graph.ancestors(tasks) if body.include_upstream else set()
            below = graph.descendants(tasks) if body.include_downstream else set()
            found = await _instances(tx, context, target, tasks | above | below, _runs(target, run, body))
    if not named:
        of = f"group_id: `{target.group_id}`" if target.group_id is not None else f"task_id: `{target.task_id}`"
        raise NotFound(
            f"The Task Instance with dag_id: `{target.dag_id}`, run_id: `{target.run_id}` and {of} was not found"
        )
    return named, found


def _tasks(graph: Graph, target: Target) -> set[TaskId]:
    if target.group_id is not None:
        groups = tasks_by_group(graph.dag.presentation)
        if target.group_id not in groups:
            raise NotFound(f"The task group with ID: `{target.group_id}` was not found in Dag `{target.dag_id}`")
        return set(groups[target.group_id])
    task_id = TaskId(target.task_id or "")
    if task_id not in graph.tasks:
        raise NotFound(f"The Task with ID: `{task_id}` was not found in Dag `{target.dag_id}`")
    return {task_id}


def _runs(target: Target, run: RunView, body: PatchTaskInstanceBody) -> tuple[Condition, ...]:
    conditions: list[Condition] = []
    if not (body.include_past or body.include_future):
        conditions.append(OneOf("run_id", (target.run_id,)))
    if not body.include_future:
        conditions.append(Bounded("run_after", Comparison.LTE, run.run_after))
    if not body.include_past:
        conditions.append(Bounded("run_after", Comparison.GTE, run.run_after))
    return tuple(conditions)


async def _instances(
    tx: Transaction, context: ApiContext, target: Target, tasks: Collection[str], runs: tuple[Condition, ...]
) -> list[InstanceView]:
    conditions: list[Condition] = [OneOf("dag_id", (target.dag_id,)), OneOf("task_id", tuple(sorted(tasks))), *runs]
    if target.map_index is not None:
        conditions.append(OneOf("map_index", (target.map_index,)))
    return (await list_instances(tx, context.cards, Listing(conditions=tuple(conditions), limit=None)))[0]


async def _is_there(tx: Transaction, context: ApiContext, target: Target) -> bool:
    tasks = {target.task_id} if target.task_id is not None else set()
    return bool(await _instances(tx, context, target, tasks, (OneOf("run_id", (target.run_id,)),)))
