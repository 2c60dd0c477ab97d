"""Pushed bundles: folders of DAG files that people send, planned first and then applied. Beyond Airflow."""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request

from flowd.actions.push_bundle import apply_plan, plan_push, plan_rollback
from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.schemas.bundles import (
    BundleCollectionResponse,
    BundlePlanResponse,
    BundleVersionCollectionResponse,
    BundleVersionResponse,
    RollbackBody,
)
from flowd.api.slices import Ordered
from flowd.api.storable import WholeNumber
from flowd.db import pushed_bundles

router = APIRouter(prefix="/api/v2", route_class=ApiRoute, tags=["Bundle"])

ARCHIVES = re.compile(r"/api/v2/bundles/[^/]+/plans")
"""Where archives are sent, which may be longer than any other body."""

_OCTETS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_ARCHIVE = {"requestBody": {"required": True, "content": _OCTETS}}
_KEYS = {name: lambda one, name=name: getattr(one, name) for name in ("name", "version_number", "pushed_at")}

NewName = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
PlanHash = Annotated[str, Path(min_length=pushed_bundles.SHORTEST_HASH, max_length=64, pattern=r"^[0-9a-f]+$")]


@router.get("/bundles")
async def get_bundles(context: Context, page: Ordered) -> BundleCollectionResponse:
    """List the bundles that were pushed, each with the version that is in service."""
    async with context.backends.metastore.reading() as tx:
        shapes = [BundleVersionResponse.of(one) for one in await pushed_bundles.list_current(tx)]
    return BundleCollectionResponse(bundles=page.of(shapes, _KEYS), total_entries=len(shapes))


@router.get("/bundles/{bundle_name}")
async def get_bundle(context: Context, bundle_name: str) -> BundleVersionResponse:
    """Return the version of a bundle that is in service."""
    async with context.backends.metastore.reading() as tx:
        return BundleVersionResponse.of(await pushed_bundles.get_version(tx, bundle_name))


@router.get("/bundles/{bundle_name}/versions")
async def get_bundle_versions(context: Context, bundle_name: str, page: Ordered) -> BundleVersionCollectionResponse:
    """List the versions of a bundle that are kept, the newest first."""
    async with context.backends.metastore.reading() as tx:
        shapes = [BundleVersionResponse.of(one) for one in await pushed_bundles.list_versions(tx, bundle_name)]
    return BundleVersionCollectionResponse(versions=page.of(shapes, _KEYS), total_entries=len(shapes))


@router.get("/bundles/{bundle_name}/versions/{version_number}")
async def get_bundle_version(context: Context, bundle_name: str, version_number: WholeNumber) -> BundleVersionResponse:
    """Return a version of a bundle."""
    async with context.backends.metastore.reading() as tx:
        return BundleVersionResponse.of(await pushed_bundles.get_version(tx, bundle_name, version_number))


@router.post("/bundles/{bundle_name}/plans", openapi_extra=_ARCHIVE)
async def post_bundle_plan(request: Request, context: Context, bundle_name: NewName) -> BundlePlanResponse:
    """Plan a push of a gzipped tar. Nothing is in service by it; the same push has the same plan."""
    kept = await plan_push(context.backends, context.bundles, bundle_name, await request.body())
    return BundlePlanResponse.of(kept)


@router.post("/bundles/{bundle_name}/rollbackPlans")
async def post_bundle_rollback_plan(context: Context, bundle_name: str, body: RollbackBody) -> BundlePlanResponse:
    """Plan to put a version into service that was there before."""
    return BundlePlanResponse.of(await plan_rollback(context.backends, bundle_name, body.version_number))


@router.get("/bundlePlans/{plan_hash}")
async def get_bundle_plan(context: Context, plan_hash: PlanHash) -> BundlePlanResponse:
    """Return a plan by its hash, or by the beginning of it."""
    async with context.backends.metastore.reading() as tx:
        return BundlePlanResponse.of(await pushed_bundles.get_plan(tx, plan_hash))


@router.post("/bundlePlans/{plan_hash}/apply")
async def apply_bundle_plan(context: Context, plan_hash: PlanHash) -> BundleVersionResponse:
    """Put into service what a plan says, where it would still do just that; applied again, it changes nothing."""
    paused = context.settings.dags.paused_at_creation
    return BundleVersionResponse.of(await apply_plan(context.backends, plan_hash, paused_at_creation=paused))
