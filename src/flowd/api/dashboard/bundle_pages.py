"""The pages of pushed bundles: their versions, what each changed, and the way back, looked at before it is taken."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from flowd.actions.push_bundle import apply_plan, plan_rollback
from flowd.api.context import Context
from flowd.api.dashboard.forms import Typed, body_of, needed
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.dashboard.words import segment
from flowd.api.errors import status_of
from flowd.api.schemas.bundles import BundlePlanResponse, DagDiffResponse, RollbackBody
from flowd.api.storable import WholeNumber
from flowd.db import pushed_bundles
from flowd.domain.errors import Conflict

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/bundles")
async def bundles_page(request: Request, context: Context) -> Response:
    """List the bundles that were pushed, each with the version in service."""
    async with context.backends.metastore.reading() as tx:
        bundles = await pushed_bundles.list_current(tx)
    return render(request, "bundles.html", bundles=bundles)


@router.get("/bundle_plans/{plan_hash}")
async def bundle_plan_page(request: Request, context: Context, plan_hash: str) -> Response:
    """Show what a plan would do, with the button that does it."""
    async with context.backends.metastore.reading() as tx:
        plan = BundlePlanResponse.of(await pushed_bundles.get_plan(tx, plan_hash))
    return render(request, "bundle_plan.html", plan=plan, problem=None, words=task_words)


@router.post("/bundles/rollback")
async def plan_bundle_rollback(context: Context, typed: Typed) -> Response:
    """Make the plan of going back to a version, and show it; nothing is in service by it."""
    body = body_of(RollbackBody, {"version_number": typed.get("version_number") or None})
    kept = await plan_rollback(context.backends, needed(typed, "bundle_name"), body.version_number)
    return RedirectResponse(f"/bundle_plans/{kept.hash}", 303)


@router.post("/bundles/apply")
async def apply_bundle_plan(request: Request, context: Context, typed: Typed) -> Response:
    """Put into service what was shown, where it would still do just that."""
    hash_ = needed(typed, "hash")
    try:
        version = await apply_plan(context.backends, hash_, paused_at_creation=context.settings.dags.paused_at_creation)
    except Conflict as error:
        async with context.backends.metastore.reading() as tx:
            plan = BundlePlanResponse.of(await pushed_bundles.get_plan(tx, hash_))
        return render(request, "bundle_plan.html", status=status_of(error), plan=plan, problem=error, words=task_words)
    return RedirectResponse(f"/bundles/{segment(version.name)}", 303)


@router.get("/bundles/{bundle_name}")
async def bundle_page(request: Request, context: Context, bundle_name: str) -> Response:
    """Show the versions of a bundle that are kept, the newest first."""
    async with context.backends.metastore.reading() as tx:
        versions = await pushed_bundles.list_versions(tx, bundle_name)
    return render(request, "bundle.html", name=bundle_name, versions=versions)


@router.get("/bundles/{bundle_name}/versions/{version_number}")
async def bundle_version_page(
    request: Request, context: Context, bundle_name: str, version_number: WholeNumber
) -> Response:
    """Show what a version changed when it came into service first."""
    async with context.backends.metastore.reading() as tx:
        version = await pushed_bundles.get_version(tx, bundle_name, version_number)
    told = BundlePlanResponse.model_validate(
        {**version.plan, "made_at": version.pushed_at, "applied_version": version.number}
    )
    return render(request, "bundle_version.html", version=version, plan=told, words=task_words)


def task_words(diff: DagDiffResponse) -> str:
    """Return in words what differs in the tasks and fields of a DAG."""
    told = [
        *(f"+{task}" for task in diff.tasks_added),
        *(f"~{task.task_id} ({', '.join(task.fields)})" for task in diff.tasks_changed),
        *(f"-{task}" for task in diff.tasks_removed),
        *(f"its {name}" for name in diff.fields),
    ]
    return ", ".join(told)
