"""The links of an operator to other systems."""

from fastapi import APIRouter

from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.schemas.task_instances import ExtraLinkCollectionResponse
from flowd.api.storable import WholeNumber
from flowd.db.views.task_instances import get_instance
from flowd.domain.ids import UNMAPPED

router = APIRouter(prefix="/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}", route_class=ApiRoute, tags=["Extra Links"])


@router.get("/taskInstances/{task_id}/links")
async def get_extra_links(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    map_index: WholeNumber = UNMAPPED,
    try_number: WholeNumber | None = None,
) -> ExtraLinkCollectionResponse:
    """Return the links of a task instance, of which there are none: an operator's links are code that runs in tasks."""
    async with context.backends.metastore.reading() as tx:
        await get_instance(tx, context.cards, dag_id, dag_run_id, task_id, map_index)
    return ExtraLinkCollectionResponse(extra_links={}, total_entries=0)
