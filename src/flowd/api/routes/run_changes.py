"""Deleting runs, and changing or clearing many at once."""

from collections.abc import Sequence

from fastapi import APIRouter

from flowd.actions.delete import delete_run
from flowd.api.bulk import BulkBody, BulkResponse, Noun, perform
from flowd.api.context import Context
from flowd.api.dag_access import check_dag
from flowd.api.guard import ApiRoute
from flowd.api.routes.dag_runs import clear_run, named_in, patch_run
from flowd.api.routes.task_changes import by_key
from flowd.api.schemas.runs import (
    BulkDagRunBody,
    BulkDagRunClearBody,
    ClearPartitionsBody,
    ClearPartitionsResponse,
    DagRunCollectionResponse,
    DagRunPatchBody,
    DagRunResponse,
)
from flowd.api.schemas.task_instances import TaskInstanceCollectionResponse
from flowd.db.transaction import Transaction
from flowd.db.views.dags import get_dag
from flowd.db.views.runs import get_run, has_partitions
from flowd.domain.dag_access import DELETE, EDIT_RUNS
from flowd.domain.errors import InvalidInput, NotFound
from flowd.domain.ids import DagId, InstanceKey, RunId

router = APIRouter(prefix="/api/v2/dags/{dag_id}", route_class=ApiRoute, tags=["DagRun"])


@router.delete("/dagRuns/{dag_run_id}", status_code=204)
async def delete_dag_run(context: Context, dag_id: str, dag_run_id: str) -> None:
    """Delete a run that is not running, with its task instances, their tries, history and XComs."""
    await delete_run(context.backends, DagId(dag_id), RunId(dag_run_id))


@router.patch("/dagRuns")
async def bulk_dag_runs(context: Context, dag_id: str, body: BulkBody[BulkDagRunBody]) -> BulkResponse:
    """Change and delete runs; with `~` in the path each names its DAG."""

    def of(run: BulkDagRunBody) -> tuple[str, str]:
        return named_in("dag_id", dag_id, run.dag_id), run.dag_run_id

    async def known(runs: Sequence[BulkDagRunBody]) -> set[str]:
        found = set()
        async with context.backends.metastore.reading() as tx:
            for run in runs:
                try:
                    await get_run(tx, context.cards, *of(run))
                except NotFound:
                    continue
                found.add(".".join(of(run)))
        return found

    async def update(run: BulkDagRunBody, mask: list[str] | None) -> None:
        await check_dag(context, of(run)[0], EDIT_RUNS)
        given = run.model_dump(include=set(DagRunPatchBody.model_fields) & run.model_fields_set)
        await patch_run(context, *of(run), DagRunPatchBody(**given), mask)

    async def delete(run: BulkDagRunBody) -> None:
        await check_dag(context, of(run)[0], DELETE)
        await delete_run(context.backends, DagId(of(run)[0]), RunId(of(run)[1]))

    return await perform(
        body,
        Noun(
            plural="runs",
            named=lambda run_id: BulkDagRunBody(dag_run_id=run_id),
            name=lambda run: ".".join(of(run)),
            known=known,
            update=update,
            delete=delete,
        ),
    )


@router.post("/clearDagRuns")
async def clear_dag_runs(
    context: Context, dag_id: str, body: BulkDagRunClearBody
) -> TaskInstanceCollectionResponse | DagRunCollectionResponse:
    """Let the tasks of several runs, or their failed ones, run again; a dry run says which."""
    keys: list[InstanceKey] = []
    chosen = [(named_in("dag_id", dag_id, run.dag_id), run.dag_run_id) for run in body.dag_runs or ()]
    async with context.backends.metastore.reading() as tx:
        if body.partition_key or body.partition_date_start or body.partition_date_end:
            await _refuse_partitions(tx, dag_id)
        # Before anything is cleared: whoever names a run that is not there has made a mistake.
        for dag, run in chosen:
            await get_run(tx, context.cards, dag, run)
    for dag in {dag for dag, _ in chosen}:
        await check_dag(context, dag, EDIT_RUNS)
    for dag, run in chosen:
        keys += await clear_run(context, dag, run, body)
    if body.dry_run:
        return await by_key(context, keys)
    async with context.backends.metastore.reading() as tx:
        shapes = [DagRunResponse.of(await get_run(tx, context.cards, dag, run)) for dag, run in chosen]
    return DagRunCollectionResponse(dag_runs=shapes, total_entries=len(shapes))


@router.post("/clearPartitions")
async def clear_dag_run_partitions(context: Context, dag_id: str, body: ClearPartitionsBody) -> ClearPartitionsResponse:
    """Answer that nothing is cleared where no run of the DAG has a partition; refuse where one has."""
    async with context.backends.metastore.reading() as tx:
        await get_dag(tx, context.cards, dag_id)
        await _refuse_partitions(tx, dag_id)
    return ClearPartitionsResponse(dry_run=body.dry_run)


async def _refuse_partitions(tx: Transaction, dag_id: str) -> None:
    if await has_partitions(tx, dag_id):
        raise InvalidInput("flowd does not clear runs by their partitions: list them by partition_key and name them")
