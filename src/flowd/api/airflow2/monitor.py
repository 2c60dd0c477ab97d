"""Health, version and import errors, as Airflow 2 has them."""

from fastapi import APIRouter, Request

from flowd.api.airflow2.route import PREFIX, Version1Route, listing
from flowd.api.context import Context
from flowd.api.routes import import_errors, monitor
from flowd.api.schemas.monitor import HealthResponse, ImportErrorCollectionResponse, VersionResponse
from flowd.db.views.import_errors import IMPORT_ERRORS

router = APIRouter(prefix=PREFIX, route_class=Version1Route, tags=["Airflow 2: Monitoring"])


@router.get("/health")
async def get_health(context: Context) -> HealthResponse:
    """Return the health of the cluster."""
    return await monitor.get_health(context)


@router.get("/version")
async def get_version() -> VersionResponse:
    """Return which flowd this is."""
    return await monitor.get_version()


@router.get("/importErrors")
async def get_import_errors(request: Request, context: Context) -> ImportErrorCollectionResponse:
    """List the DAG files that could not be read."""
    return await import_errors.get_import_errors(context, listing(IMPORT_ERRORS, request))
