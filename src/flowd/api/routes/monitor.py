"""Health, version and metrics: what load balancers, monitors and scrapers ask for, without a login."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

import flowd
from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.metrics import MOST_POOLS
from flowd.api.readiness import metastore_problem
from flowd.api.schemas.monitor import (
    DagProcessorHealth,
    HealthResponse,
    MetadatabaseHealth,
    ReadyResponse,
    SchedulerHealth,
    TriggererHealth,
    VersionResponse,
)
from flowd.db.views import health
from flowd.db.views.figures import read_figures
from flowd.domain.errors import MetastoreUnavailable

HEALTHY, UNHEALTHY = "healthy", "unhealthy"
METASTORE = "metastore"

router = APIRouter(route_class=ApiRoute, tags=["Monitor"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Answer as long as the process does: no reason to restart it."""
    return {"status": "alive"}


@router.get("/readyz", response_model=ReadyResponse, responses={503: {"model": ReadyResponse}})
async def readyz(context: Context) -> JSONResponse:
    """Answer 200 where this node can take requests, else 503 with what is not ready, and why."""
    problems = dict(await context.readiness.problems())
    if problem := await metastore_problem(context.backends.metastore):
        problems.setdefault(METASTORE, problem)
    answer = ReadyResponse(status="not ready" if problems else "ready", problems=problems)
    return JSONResponse(answer.model_dump(), 503 if problems else 200)


@router.get("/metrics", include_in_schema=False)
async def metrics(context: Context) -> Response:
    """Answer Prometheus; while the metastore is away, with this process's own metrics."""
    try:
        async with context.backends.metastore.reading() as tx:
            found = await read_figures(tx, by_dag=context.metrics.by_dag, most_pools=MOST_POOLS)
    except MetastoreUnavailable:
        found = None
    return Response(context.metrics.exposition(found), media_type=CONTENT_TYPE_LATEST)


@router.get("/api/v2/version")
async def get_version() -> VersionResponse:
    """Return which flowd this is."""
    return VersionResponse(version=flowd.__version__)


@router.get("/api/v2/monitor/health")
async def get_health(context: Context) -> HealthResponse:
    """Return the health of the cluster; always 200, as Airflow does."""
    try:
        async with context.backends.metastore.reading() as tx:
            beats = await health.heartbeats(tx)
    except MetastoreUnavailable:
        beats = None
    scheduler = (beats or {}).get("scheduler")
    seen_at = scheduler.seen_at.isoformat() if scheduler and scheduler.seen_at else None
    status = HEALTHY if scheduler and scheduler.is_healthy else UNHEALTHY
    return HealthResponse(
        metadatabase=MetadatabaseHealth(status=UNHEALTHY if beats is None else HEALTHY),
        scheduler=SchedulerHealth(status=status, latest_scheduler_heartbeat=seen_at),
        triggerer=TriggererHealth(),
        # The scheduler role reads the DAG files too.
        dag_processor=DagProcessorHealth(status=status, latest_dag_processor_heartbeat=seen_at),
    )
