"""Calls of Airflow's client that flowd refuses, each with its reason; docs/reference/rest-api.md names them all."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.storable import WholeNumber
from flowd.db.views.task_instances import get_instance
from flowd.domain.errors import Conflict, InvalidInput
from flowd.domain.ids import UNMAPPED

router = APIRouter(prefix="/api/v2", route_class=ApiRoute)
_TASK = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}"

NO_TEST = (
    "Testing connections on workers is disabled: a connection is tested by an api node (POST /api/v2/connections/test),"
    " or by a task that uses it"
)
NO_DEFAULTS = "There are no default connections: make those that your tasks use"
NO_EXTERNAL_LOGS = "Task log handler does not support external logs."


@router.post("/connections/enqueue-test", tags=["Connection"])
async def enqueue_connection_test() -> None:
    """Refuse, as an Airflow does that is not configured otherwise."""
    raise HTTPException(403, NO_TEST)


@router.get("/connections/enqueue-test", tags=["Connection"])
async def get_connection_test() -> None:
    """Refuse: there are no tests."""
    raise HTTPException(403, NO_TEST)


@router.post("/connections/defaults", tags=["Connection"])
async def create_default_connections() -> None:
    """Refuse: Airflow's examples of connections are of no use to anybody."""
    raise HTTPException(403, NO_DEFAULTS)


@router.get(f"{_TASK}/externalLogUrl/{{try_number}}", tags=["Task Instance"])
async def get_external_log_url(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    try_number: WholeNumber,
    map_index: WholeNumber = UNMAPPED,
) -> None:
    """Refuse: logs are read here, and nowhere else."""
    async with context.backends.metastore.reading() as tx:
        await get_instance(tx, context.cards, dag_id, dag_run_id, task_id, map_index)
    raise InvalidInput(NO_EXTERNAL_LOGS)


@router.delete(_TASK, tags=["Task Instance"])
async def delete_task_instance(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber = UNMAPPED
) -> None:
    """Refuse: what is below it in the run would wait for it for ever."""
    async with context.backends.metastore.reading() as tx:
        await get_instance(tx, context.cards, dag_id, dag_run_id, task_id, map_index)
    raise Conflict(
        f"task {task_id!r} cannot be taken out of run {dag_run_id!r}: the others count on it;"
        " clear it, mark it, or delete the run"
    )
