"""Waiting for a run to end: a stream of its states."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from flowd.api.context import ApiContext, Context
from flowd.api.guard import ApiRoute
from flowd.db.views.runs import state_of
from flowd.db.xcoms import pull
from flowd.domain.errors import FlowdError
from flowd.domain.ids import DagId, RunId

router = APIRouter(prefix="/api/v2/dags/{dag_id}", route_class=ApiRoute)


class NdJson(StreamingResponse):
    """Lines of JSON, each as soon as there is one."""

    media_type = "application/x-ndjson"


RETURN_VALUE = "return_value"
"""The name under which a task leaves what it returned."""


@router.get("/dagRuns/{dag_run_id}/wait", response_class=NdJson, tags=["experimental"])
async def wait_dag_run_until_finished(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    interval: Annotated[float, Query(gt=0, le=3600)] = 1.0,
    result: Annotated[list[str] | None, Query()] = None,
) -> NdJson:
    """Stream the run's state every `interval` seconds as lines of JSON, the last with what `result` tasks returned."""
    async with context.backends.metastore.reading() as tx:
        await state_of(tx, dag_id, dag_run_id)
    lines = _states(context, DagId(dag_id), RunId(dag_run_id), interval, result or [])
    return NdJson(lines)


async def _states(
    context: ApiContext, dag_id: DagId, run_id: RunId, interval_seconds: float, tasks: list[str]
) -> AsyncIterator[str]:
    while True:
        try:
            async with context.backends.metastore.reading() as tx:
                state = await state_of(tx, dag_id, run_id)
                line: dict[str, Any] = {"state": state.value}
                if state.is_finished and tasks:
                    values = await pull(
                        tx,
                        dag_id=dag_id,
                        run_id=run_id,
                        name=RETURN_VALUE,
                        task_ids=tasks,
                        map_indexes=None,
                        include_prior_dates=False,
                    )
                    line["results"] = {one.task_id: one.value for one in values}
        except FlowdError as error:
            # The answer has begun: what went wrong can only be said in its last line.
            yield json.dumps({"detail": str(error)}) + "\n"
            return
        yield json.dumps(line) + "\n"
        if state.is_finished:
            return
        await context.backends.clock.sleep(interval_seconds)
