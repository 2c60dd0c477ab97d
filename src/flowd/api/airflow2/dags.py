"""DAGs, as Airflow 2 has them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from flowd.api.airflow2.bodies import DagBody
from flowd.api.airflow2.route import PREFIX, Version1Route, listing
from flowd.api.airflow2.shapes import (
    Version1Dag,
    Version1DagCollection,
    Version1DagDetails,
    Version1Task,
    Version1TaskCollection,
)
from flowd.api.context import Caller, Context
from flowd.api.routes import dag_versions, dags
from flowd.api.schemas.dags import DagPatchBody
from flowd.db.views.dags import DAGS, DagFilter

router = APIRouter(prefix=f"{PREFIX}/dags", route_class=Version1Route, tags=["Airflow 2: DAG"])


@router.get("")
async def get_dags(
    request: Request,
    context: Context,
    caller: Caller,
    tags: Annotated[list[str] | None, Query()] = None,
    only_active: bool = True,
) -> Version1DagCollection:
    """List DAGs."""
    wanted = DagFilter(tags=tuple(tags or ()), is_favorite_of=caller.username)
    found = await dags.get_dags(context, dags.dag_listing(listing(DAGS, request), only_active), wanted)
    return Version1DagCollection(dags=[Version1Dag.of(dag) for dag in found.dags], total_entries=found.total_entries)


@router.get("/{dag_id}")
async def get_dag(context: Context, dag_id: str) -> Version1Dag:
    """Return a DAG."""
    return Version1Dag.of(await dags.get_one_dag(context, dag_id))


@router.patch("/{dag_id}")
async def patch_dag(context: Context, dag_id: str, body: DagBody) -> Version1Dag:
    """Pause or unpause a DAG."""
    return Version1Dag.of(await dags.patch_dag(context, dag_id, DagPatchBody(is_paused=body.is_paused)))


@router.delete("/{dag_id}", status_code=204)
async def delete_one_dag(context: Context, dag_id: str) -> None:
    """Delete a DAG with its runs."""
    await dags.delete_one_dag(context, dag_id)


@router.get("/{dag_id}/details")
async def get_dag_details(context: Context, caller: Caller, dag_id: str) -> Version1DagDetails:
    """Return a DAG with what its file says of it."""
    return Version1DagDetails.of_details(await dags.get_dag_details(context, caller, dag_id))


@router.get("/{dag_id}/tasks")
async def get_tasks(context: Context, dag_id: str, order_by: str = "task_id") -> Version1TaskCollection:
    """List the tasks of a DAG."""
    found = await dag_versions.get_tasks(context, dag_id, order_by)
    shapes = [Version1Task.of_task(task) for task in found.tasks]
    return Version1TaskCollection(tasks=shapes, total_entries=found.total_entries)
