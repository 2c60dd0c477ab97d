"""When a DAG is due next. Beyond Airflow."""

from typing import Annotated

from fastapi import APIRouter, Query

from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.schemas.dags import NextRunCollectionResponse, NextRunResponse
from flowd.db.latest import latest
from flowd.db.schedules import planned
from flowd.db.views.dags import get_dag
from flowd.domain.data_interval import NextRun
from flowd.domain.ids import DagId
from flowd.domain.timetable import upcoming

router = APIRouter(prefix="/api/v2/dags/{dag_id}", route_class=ApiRoute, tags=["DAG"])


@router.get("/nextRuns")
async def get_next_runs(
    context: Context, dag_id: str, limit: Annotated[int, Query(ge=1, le=100)] = 5
) -> NextRunCollectionResponse:
    """List the next runs of a DAG's schedule: none where it has none, has ended, or was always paused."""
    async with context.backends.metastore.reading() as tx:
        await get_dag(tx, context.cards, dag_id)
        current = await latest(tx, context.backends.graphs, DagId(dag_id))
        first = await planned(tx, DagId(dag_id))
        now = await tx.now()
    found: list[NextRun] = []
    if first is not None:
        dag = current.graph.dag
        later = upcoming(
            dag.timetable,
            first.data_interval,
            start_date=dag.start_date or now,
            end_date=dag.end_date,
            catchup=dag.catchup,
            now=now,
            limit=limit - 1,
        )
        found = [first, *later]
    return NextRunCollectionResponse(next_runs=[NextRunResponse.of(one) for one in found], total_entries=len(found))
