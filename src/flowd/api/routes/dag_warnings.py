"""Warnings: what will hold up a DAG's tasks."""

from fastapi import APIRouter

from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.schemas.deployment import DagWarningCollectionResponse, DagWarningResponse
from flowd.api.slices import Ordered
from flowd.db.views.dag_warnings import WarningType, list_dag_warnings

router = APIRouter(prefix="/api/v2", route_class=ApiRoute, tags=["DagWarning"])


@router.get("/dagWarnings")
async def get_dag_warnings(
    context: Context, page: Ordered, dag_id: str | None = None, warning_type: WarningType | None = None
) -> DagWarningCollectionResponse:
    """List the warnings of all DAGs: pools that tasks name and that there are not."""
    async with context.backends.metastore.reading() as tx:
        warnings = await list_dag_warnings(tx, context.cards)
    found = [
        DagWarningResponse(
            dag_id=one.dag_id,
            dag_display_name=one.dag_display_name,
            warning_type=one.kind,
            message=one.message,
            timestamp=one.at,
        )
        for one in warnings
        if dag_id in (None, one.dag_id) and warning_type in (None, one.kind)
    ]
    keys = {
        "dag_id": lambda one: one.dag_id,
        "warning_type": lambda one: one.warning_type,
        "message": lambda one: one.message,
        "timestamp": lambda one: one.timestamp,
    }
    return DagWarningCollectionResponse(dag_warnings=page.of(found, keys), total_entries=len(found))
