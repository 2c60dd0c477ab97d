"""The pages of a DAG: the grid of its tasks and runs."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from flowd.api.context import Context
from flowd.api.dashboard.charts import longest
from flowd.api.dashboard.dag_frame import in_dag_frame
from flowd.api.dashboard.grid import grid_of, open_groups_of
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.words import segment
from flowd.db.views.dags import get_dag
from flowd.db.views.grid import states_by_task
from flowd.db.views.recent import runs_before
from flowd.domain.states import RunState, RunType
from flowd.domain.task_tree import task_tree

router = APIRouter(prefix="/dags/{dag_id}", route_class=PageRoute, include_in_schema=False)

RUN_CHOICES = (14, 30, 60, 120)


@router.get("")
async def grid_page(
    request: Request,
    context: Context,
    dag_id: str,
    runs: int = RUN_CHOICES[0],
    type: str = "",
    state: str = "",
    task: str = "",
    open: str = "",
    before: datetime | None = None,
    row: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """Show the tasks of a DAG in its last runs."""
    most = runs if runs in RUN_CHOICES else RUN_CHOICES[0]
    run_type, run_state = type if type in list(RunType) else "", state if state in list(RunState) else ""
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        shown = await runs_before(tx, dag_id, most=most, before=before, run_type=run_type, state=run_state)
        states = await states_by_task(tx, [run.key for run in shown])
        graph = (await context.backends.graphs.get(tx, [dag.version.key]))[dag.version.key]
    columns = list(reversed(shown))
    tree = task_tree(graph)
    grid = grid_of(tree, columns, states, open_groups=open_groups_of(tree, open), task=task, first=row)
    asked: dict[str, Any] = {
        "runs": most,
        "type": run_type,
        "state": run_state,
        "task": task,
        "open": open,
        "before": before.isoformat() if before else None,
        "row": row,
    }
    usual = {"runs": RUN_CHOICES[0], "type": "", "state": "", "task": "", "open": "", "before": None, "row": 0}
    return in_dag_frame(
        request,
        "dag_grid.html",
        dag,
        tab="",
        runs=columns,
        longest=longest(columns, context.backends.clock.now()),
        grid=grid,
        run_choices=RUN_CHOICES,
        run_count=most,
        run_types=list(RunType),
        run_type=run_type,
        run_states=list(RunState),
        run_state=run_state,
        task=task,
        row=row,
        before=before,
        older=columns[0].run_after.isoformat() if len(columns) == most else None,
        root=f"/dags/{segment(dag_id)}",
        query=lambda **changes: urlencode(
            {name: value for name, value in (asked | changes).items() if value != usual[name]}
        ),
    )
