"""The versions of a DAG, its tasks and its source."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response

from flowd.api.context import ApiContext, Context
from flowd.api.guard import ApiRoute
from flowd.api.openapi import also_as
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.schemas.tasks import TaskCollectionResponse, TaskResponse
from flowd.api.schemas.versions import DagSourceResponse, DagVersionCollectionResponse, DagVersionResponse
from flowd.api.storable import WholeNumber
from flowd.db.bundles import fetch_manifest, fetch_packed, unpack
from flowd.db.transaction import Transaction
from flowd.db.views.listing import EVERYTHING, Listing, OneOf
from flowd.db.views.versions import VERSIONS, VersionView, get_version, list_versions
from flowd.domain.errors import InvalidInput, NotFound
from flowd.domain.graph import Graph
from flowd.domain.ids import BundleHash, TaskId

router = APIRouter(prefix="/api/v2", route_class=ApiRoute, tags=["DagVersion"])

_TASK_ORDERS = ("task_id", "-task_id")


@router.get("/dags/{dag_id}/dagVersions", openapi_extra=parameters_of(VERSIONS))
async def get_dag_versions(
    context: Context, dag_id: str, listing: Annotated[Listing, Depends(listing_of(VERSIONS))]
) -> DagVersionCollectionResponse:
    """List the versions of a DAG, or with `~` of all."""
    async with context.backends.metastore.reading() as tx:
        if dag_id != EVERYTHING:
            await get_version(tx, dag_id)
            listing = listing.where(OneOf("dag_id", (dag_id,)))
        versions, total = await list_versions(tx, listing)
        names = await _display_names(context, tx, versions)
    shapes = [DagVersionResponse.of(version, names[version.key]) for version in versions]
    return DagVersionCollectionResponse(dag_versions=shapes, total_entries=total)


@router.get("/dags/{dag_id}/dagVersions/{version_number}")
async def get_dag_version(context: Context, dag_id: str, version_number: WholeNumber) -> DagVersionResponse:
    """Return a version of a DAG by its number."""
    async with context.backends.metastore.reading() as tx:
        version = await get_version(tx, dag_id, version_number)
        return DagVersionResponse.of(version, (await _display_names(context, tx, [version]))[version.key])


@router.get(
    "/dagSources/{dag_id}", response_model=DagSourceResponse, responses=also_as("text/plain"), tags=["DagSource"]
)
async def get_dag_source(
    request: Request, context: Context, dag_id: str, version_number: WholeNumber | None = None
) -> Response | DagSourceResponse:
    """Return the file of a DAG as it was in a version, the current one by default: JSON, or text where asked for."""
    async with context.backends.metastore.reading() as tx:
        version = await get_version(tx, dag_id, version_number)
        graph = (await context.backends.graphs.get(tx, [version.key]))[version.key]
        name = (await _display_names(context, tx, [version]))[version.key]
        content = await source_of(tx, BundleHash(version.bundle), graph.dag.file)
    if "text/plain" in request.headers.get("Accept", ""):
        return PlainTextResponse(content)
    return DagSourceResponse(content=content, dag_id=dag_id, dag_display_name=name, version_number=version.number)


@router.get("/dags/{dag_id}/tasks", tags=["Task"])
async def get_tasks(context: Context, dag_id: str, order_by: str = "task_id") -> TaskCollectionResponse:
    """List the tasks of a DAG's current version."""
    if order_by not in _TASK_ORDERS:
        raise InvalidInput(f"Ordering with '{order_by}' is disallowed; wanted one of {', '.join(_TASK_ORDERS)}")
    graph = await _graph(context, dag_id)
    tasks = sorted(graph.tasks, reverse=order_by.startswith("-"))
    return TaskCollectionResponse(tasks=[TaskResponse.of(graph, one) for one in tasks], total_entries=len(tasks))


@router.get("/dags/{dag_id}/tasks/{task_id}", tags=["Task"])
async def get_task(context: Context, dag_id: str, task_id: str) -> TaskResponse:
    """Return a task of a DAG's current version."""
    graph = await _graph(context, dag_id)
    if task_id not in graph.tasks:
        raise NotFound(f"The Task with ID: `{task_id}` was not found in Dag `{dag_id}`")
    return TaskResponse.of(graph, TaskId(task_id))


async def _graph(context: ApiContext, dag_id: str) -> Graph:
    async with context.backends.metastore.reading() as tx:
        version = await get_version(tx, dag_id)
        return (await context.backends.graphs.get(tx, [version.key]))[version.key]


async def _display_names(context: ApiContext, tx: Transaction, versions: list[VersionView]) -> dict[int, str]:
    cards = await context.cards.get(tx, [version.key for version in versions])
    return {key: card.display_name for key, card in cards.items()}


async def source_of(tx: Transaction, bundle: BundleHash, file: str) -> str:
    """Return the text of a file of a bundle; raise NotFound where it has none of that name."""
    hash_ = (await fetch_manifest(tx, bundle)).get(file)
    if hash_ is None:
        raise NotFound(f"the bundle {bundle} has no file {file!r}")
    return unpack((await fetch_packed(tx, [hash_]))[hash_]).decode(errors="replace")
