"""Task instances, their logs and XComs, as Airflow 2 has them."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flowd.api.airflow2.bodies import (
    ClearTasksBody,
    TaskNoteBody,
    TasksBatchBody,
    UpdateTaskBody,
    UpdateTasksBody,
    dates_of,
)
from flowd.api.airflow2.route import PREFIX, Version1Route, listing
from flowd.api.airflow2.shapes import (
    TaskInstanceReference,
    TaskInstanceReferenceCollection,
    Version1Log,
    Version1TaskInstance,
    Version1TaskInstanceCollection,
    Version1XCom,
    Version1XComCollection,
    Version1XComValue,
)
from flowd.api.context import ApiContext, Context
from flowd.api.pagination import bounds
from flowd.api.routes import logs, task_changes, task_instances, task_patches, xcoms
from flowd.api.schemas.task_instances import (
    ClearTaskInstancesBody,
    PatchTaskInstanceBody,
    TaskInstanceCollectionResponse,
    TaskInstancesBatchBody,
)
from flowd.api.storable import WholeNumber
from flowd.db.views.listing import Comparison, Condition, Listing, OneOf
from flowd.db.views.runs import get_run, list_runs
from flowd.db.views.task_instances import INSTANCES
from flowd.db.views.xcoms import XCOMS
from flowd.domain.errors import InvalidInput, NotFound
from flowd.domain.ids import UNMAPPED

router = APIRouter(prefix=f"{PREFIX}/dags/{{dag_id}}", route_class=Version1Route, tags=["Airflow 2: TaskInstance"])
RUN = "/dagRuns/{dag_run_id}"
TASK = f"{RUN}/taskInstances/{{task_id}}"


@router.get(f"{RUN}/taskInstances")
async def get_task_instances(
    request: Request, context: Context, dag_id: str, dag_run_id: str
) -> Version1TaskInstanceCollection:
    """List the task instances of a run; `~` is every DAG or every run."""
    return _page(await task_instances.get_task_instances(context, dag_id, dag_run_id, listing(INSTANCES, request)))


@router.post(f"{RUN}/taskInstances/list")
async def get_task_instances_batch(
    context: Context, dag_id: str, dag_run_id: str, body: TasksBatchBody
) -> Version1TaskInstanceCollection:
    """List task instances of several DAGs and runs; the path's DAG and run must be `~`."""
    named = {"dag_ids", "dag_run_ids", "task_ids", "state", "pool", "queue", "duration_gte", "duration_lte"}
    wanted = TaskInstancesBatchBody(**body.model_dump(include=named), **dates_of(body))
    return _page(await task_instances.get_task_instances_batch(context, dag_id, dag_run_id, wanted))


@router.get(f"{TASK}/listMapped")
async def get_mapped_task_instances(
    request: Request, context: Context, dag_id: str, dag_run_id: str, task_id: str
) -> Version1TaskInstanceCollection:
    """List the mapped instances of a task."""
    wanted = listing(INSTANCES, request)
    return _page(await task_instances.get_mapped_task_instances(context, dag_id, dag_run_id, task_id, wanted))


@router.get(f"{TASK}/tries")
async def get_task_instance_tries(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber = UNMAPPED
) -> Version1TaskInstanceCollection:
    """List the tries of a task instance."""
    found = await task_instances.get_task_instance_tries(context, dag_id, dag_run_id, task_id, map_index)
    async with context.backends.metastore.reading() as tx:
        run = await get_run(tx, context.cards, dag_id, dag_run_id)
    date = run.logical_date or run.run_after
    shapes = [Version1TaskInstance.of_try(one, date) for one in found.task_instances]
    return Version1TaskInstanceCollection(task_instances=shapes, total_entries=found.total_entries)


@router.get(f"{TASK}/logs/{{task_try_number}}", response_model=Version1Log)
async def get_log(
    request: Request,
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    task_try_number: WholeNumber,
    map_index: WholeNumber = UNMAPPED,
    token: str | None = None,
) -> Response | Version1Log:
    """Return the log of a try: text where that is asked for, else one window of it, to be continued with `token`."""
    found = await logs.get_log(
        request, context, dag_id, dag_run_id, task_id, task_try_number, map_index, token=token or None
    )
    if isinstance(found, Response):
        return found
    content = "".join(f"{line.event}\n" for line in found.content)
    return Version1Log(content=content, continuation_token=found.continuation_token or "")


@router.get(f"{TASK}/xcomEntries")
async def get_xcom_entries(
    request: Request, context: Context, dag_id: str, dag_run_id: str, task_id: str
) -> Version1XComCollection:
    """List the XComs of a task instance."""
    found = await xcoms.get_xcom_entries(context, dag_id, dag_run_id, task_id, listing(XCOMS, request))
    shapes = [Version1XCom.of(one) for one in found.xcom_entries]
    return Version1XComCollection(xcom_entries=shapes, total_entries=found.total_entries)


@router.get(f"{TASK}/xcomEntries/{{xcom_key:path}}")
async def get_xcom_entry(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    xcom_key: str,
    map_index: WholeNumber = UNMAPPED,
    stringify: bool = True,
) -> Version1XComValue:
    """Return an XCom with its value."""
    found = await xcoms.get_xcom_entry(context, dag_id, dag_run_id, task_id, xcom_key, map_index, stringify)
    return Version1XComValue(**Version1XCom.of(found).model_dump(), value=found.value)


@router.get(TASK)
async def get_task_instance(context: Context, dag_id: str, dag_run_id: str, task_id: str) -> Version1TaskInstance:
    """Return a task instance that is not mapped."""
    return Version1TaskInstance.of(await task_instances.get_task_instance(context, dag_id, dag_run_id, task_id))


@router.get(f"{TASK}/{{map_index}}")
async def get_mapped_task_instance(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber
) -> Version1TaskInstance:
    """Return a task instance by its map index."""
    found = await task_instances.get_mapped_task_instance(context, dag_id, dag_run_id, task_id, map_index)
    return Version1TaskInstance.of(found)


@router.patch(TASK)
async def patch_task_instance(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, body: UpdateTaskBody
) -> TaskInstanceReference:
    """Say how a task instance ended; a dry run, the default, only names it."""
    said = PatchTaskInstanceBody(new_state=body.new_state)
    patch = task_patches.patch_task_instance_dry_run if body.dry_run else task_patches.patch_task_instance
    found = await patch(context, dag_id, dag_run_id, task_id, said)
    return TaskInstanceReference.of(found.task_instances[0])


@router.patch(f"{TASK}/setNote")
async def set_task_instance_note(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, body: TaskNoteBody
) -> Version1TaskInstance:
    """Leave a note on a task instance."""
    said = PatchTaskInstanceBody(note=body.note)
    found = await task_patches.patch_task_instance(context, dag_id, dag_run_id, task_id, said, body.map_index)
    return Version1TaskInstance.of(found.task_instances[0])


@router.post("/clearTaskInstances")
async def clear_task_instances(context: Context, dag_id: str, body: ClearTasksBody) -> TaskInstanceReferenceCollection:
    """Let task instances run again, and name them; a dry run, the default, only names them."""
    said = ClearTaskInstancesBody(**body.model_dump())
    return _references(await task_changes.clear_task_instances(context, dag_id, said))


@router.post("/updateTaskInstancesState")
async def update_task_instances_state(
    context: Context, dag_id: str, body: UpdateTasksBody
) -> TaskInstanceReferenceCollection:
    """Say how task instances ended, and name them; a dry run, the default, only names them."""
    run_id = await _run_of(context, dag_id, body)
    included = {"include_upstream", "include_downstream", "include_past", "include_future"}
    said = PatchTaskInstanceBody(new_state=body.new_state, **body.model_dump(include=included))
    patch = task_patches.patch_task_instance_dry_run if body.dry_run else task_patches.patch_task_instance
    return _references(await patch(context, dag_id, run_id, body.task_id, said))


async def _run_of(context: ApiContext, dag_id: str, body: UpdateTasksBody) -> str:
    if (body.dag_run_id is None) == (body.execution_date is None):
        raise InvalidInput("a run is named by its dag_run_id or by its execution_date; wanted one of the two")
    if body.dag_run_id is not None:
        return body.dag_run_id
    date = body.execution_date
    async with context.backends.metastore.reading() as tx:
        wanted = Listing(conditions=(OneOf("dag_id", (dag_id,)), *_at(body)), limit=1)
        runs, _ = await list_runs(tx, context.cards, wanted)
    if not runs:
        raise NotFound(f"The DagRun with dag_id: `{dag_id}` and execution_date: `{date}` was not found")
    return runs[0].run_id


def _at(body: UpdateTasksBody) -> list[Condition]:
    moments = {f"logical_date_{comparison}": body.execution_date for comparison in (Comparison.GTE, Comparison.LTE)}
    return bounds("logical_date", moments)


def _page(found: TaskInstanceCollectionResponse) -> Version1TaskInstanceCollection:
    return Version1TaskInstanceCollection.of(found.task_instances, found.total_entries)


def _references(found: TaskInstanceCollectionResponse) -> TaskInstanceReferenceCollection:
    return TaskInstanceReferenceCollection(
        task_instances=[TaskInstanceReference.of(one) for one in found.task_instances]
    )
