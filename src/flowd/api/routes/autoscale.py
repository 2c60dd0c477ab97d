"""Autoscale: how many workers each queue is worth. flowd starts and ends none: whoever runs its machines does."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from flowd.actions.workers import MOST_TASKS
from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.schemas.autoscale import AdviceResponse, QueueAdviceResponse
from flowd.db.views.worker_demand import list_demands

router = APIRouter(prefix="/api/v2", route_class=ApiRoute, tags=["Worker"])

PATIENCE_SECONDS = 60.0
"""A task that waits longer while no slot is free is wanted another worker for."""

LONGEST_PATIENCE_SECONDS = 86_400.0


@router.get("/autoscale")
async def get_advice(
    context: Context,
    slots_per_worker: Annotated[int | None, Query(ge=1, le=MOST_TASKS)] = None,
    patience_seconds: Annotated[float, Query(ge=0, le=LONGEST_PATIENCE_SECONDS)] = PATIENCE_SECONDS,
) -> AdviceResponse:
    """Advise how many workers each queue wants, for `slots_per_worker`, or as many as its workers have."""
    async with context.backends.metastore.reading() as tx:
        found = await list_demands(
            tx,
            slots_per_worker=slots_per_worker,
            usual_slots=context.settings.worker.concurrency,
            patience=timedelta(seconds=patience_seconds),
        )
    return AdviceResponse(queues=[QueueAdviceResponse.of(one) for one in found], total_entries=len(found))
