"""DagRuns, as Airflow 2 has them."""

from typing import Annotated

from fastapi import APIRouter, Header, Request

from flowd.api.airflow2.bodies import (
    ClearRunBody,
    NoteBody,
    RunsBatchBody,
    RunStateBody,
    TriggerBody,
    converted,
    dates_of,
)
from flowd.api.airflow2.route import PREFIX, Version1Route, listing
from flowd.api.airflow2.shapes import (
    Version1DagRun,
    Version1DagRunCollection,
    Version1TaskInstanceCollection,
)
from flowd.api.context import Caller, Context
from flowd.api.routes import dag_runs, run_changes
from flowd.api.schemas.runs import (
    DagRunClearBody,
    DagRunPatchBody,
    DagRunResponse,
    DagRunsBatchBody,
    TriggerDagRunBody,
)
from flowd.db.views.runs import RUNS
from flowd.domain.errors import InvalidInput

router = APIRouter(prefix=f"{PREFIX}/dags/{{dag_id}}", route_class=Version1Route, tags=["Airflow 2: DAGRun"])


@router.get("/dagRuns")
async def get_dag_runs(request: Request, context: Context, dag_id: str) -> Version1DagRunCollection:
    """List the runs of a DAG, or with `~` of all."""
    found = await dag_runs.get_dag_runs(context, dag_id, listing(RUNS, request))
    return Version1DagRunCollection.of(found.dag_runs, found.total_entries)


@router.post("/dagRuns/list")
async def get_dag_runs_batch(context: Context, dag_id: str, body: RunsBatchBody) -> Version1DagRunCollection:
    """List runs of several DAGs; the path's DAG must be `~`."""
    wanted = DagRunsBatchBody(
        dag_ids=body.dag_ids, states=None if body.states is None else list(body.states), **dates_of(body)
    )
    found = await dag_runs.list_dag_runs_batch(context, dag_id, wanted)
    return Version1DagRunCollection.of(found.dag_runs, found.total_entries)


@router.post("/dagRuns")
async def trigger_dag_run(
    request: Request,
    context: Context,
    caller: Caller,
    dag_id: str,
    body: TriggerBody,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Version1DagRun:
    """Make a run of a DAG; its logical date is now where none is given."""
    if body.logical_date and body.execution_date and body.logical_date != body.execution_date:
        raise InvalidInput("logical_date conflicts with execution_date; give one of them")
    moment = body.logical_date or body.execution_date or context.backends.clock.now()
    others = body.model_dump(exclude={"logical_date", "execution_date"})
    said = converted(TriggerDagRunBody, {"logical_date": moment, **others})
    return Version1DagRun.of(await dag_runs.trigger_dag_run(request, context, caller, dag_id, said, idempotency_key))


@router.get("/dagRuns/{dag_run_id}")
async def get_dag_run(context: Context, dag_id: str, dag_run_id: str) -> Version1DagRun:
    """Return a run."""
    return Version1DagRun.of(await dag_runs.get_dag_run(context, dag_id, dag_run_id))


@router.patch("/dagRuns/{dag_run_id}")
async def patch_dag_run(context: Context, dag_id: str, dag_run_id: str, body: RunStateBody) -> Version1DagRun:
    """Say how a run ended, or put it back to queued."""
    said = DagRunPatchBody(state=body.state)
    return Version1DagRun.of(await dag_runs.patch_dag_run(context, dag_id, dag_run_id, said))


@router.delete("/dagRuns/{dag_run_id}", status_code=204)
async def delete_dag_run(context: Context, dag_id: str, dag_run_id: str) -> None:
    """Delete a run."""
    await run_changes.delete_dag_run(context, dag_id, dag_run_id)


@router.patch("/dagRuns/{dag_run_id}/setNote")
async def set_dag_run_note(context: Context, dag_id: str, dag_run_id: str, body: NoteBody) -> Version1DagRun:
    """Leave a note on a run."""
    said = DagRunPatchBody(note=body.note)
    return Version1DagRun.of(await dag_runs.patch_dag_run(context, dag_id, dag_run_id, said))


@router.post("/dagRuns/{dag_run_id}/clear")
async def clear_dag_run(
    context: Context, dag_id: str, dag_run_id: str, body: ClearRunBody
) -> Version1DagRun | Version1TaskInstanceCollection:
    """Let a run's tasks run again; a dry run, the default, says which."""
    found = await dag_runs.clear_dag_run(context, dag_id, dag_run_id, DagRunClearBody(dry_run=body.dry_run))
    if isinstance(found, DagRunResponse):
        return Version1DagRun.of(found)
    return Version1TaskInstanceCollection.of(found.task_instances, found.total_entries)
