"""Human in the loop: what tasks ask people, and the answers."""

from typing import Annotated

from fastapi import APIRouter, Depends

from flowd.actions.answer_hitl import answer_hitl
from flowd.api.context import ApiContext, Caller, Context
from flowd.api.guard import ApiRoute
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.routes.task_instances import RUN, TASK
from flowd.api.schemas.hitl import (
    AnswerHITLBody,
    HITLAnswerResponse,
    HITLDetailCollectionResponse,
    HITLDetailHistoryResponse,
    HITLDetailResponse,
)
from flowd.api.schemas.task_instances import TaskInstanceHistoryResponse
from flowd.api.storable import WholeNumber
from flowd.db import hitl
from flowd.db.hitl import Asked
from flowd.db.views.hitl import HITL_DETAILS, HitlView, list_hitl_details
from flowd.db.views.listing import EVERYTHING, Condition, Contains, Listing, OneOf
from flowd.db.views.task_instances import InstanceView, get_instance
from flowd.db.views.tries import get_try
from flowd.domain.errors import NotFound
from flowd.domain.ids import DagId, InstanceKey, RunId, TaskId

router = APIRouter(prefix="/api/v2/dags/{dag_id}", route_class=ApiRoute, tags=["Task Instance"])
DETAILS = f"{TASK}/{{map_index}}/hitlDetails"

Wanted = Annotated[Listing, Depends(listing_of(HITL_DETAILS))]


@router.get(f"{RUN}/hitlDetails", openapi_extra=parameters_of(HITL_DETAILS))
async def get_hitl_details(
    context: Context,
    dag_id: str,
    dag_run_id: str,
    listing: Wanted,
    subject_search: str | None = None,
    body_search: str | None = None,
) -> HITLDetailCollectionResponse:
    """List what the tasks of a run ask; `~` is every DAG or every run."""
    named = {"dag_id": dag_id, "run_id": dag_run_id}
    within: list[Condition] = [OneOf(name, (value,)) for name, value in named.items() if value != EVERYTHING]
    searched = {"subject": subject_search, "body": body_search}
    within += [Contains(name, text) for name, text in searched.items() if text is not None]
    async with context.backends.metastore.reading() as tx:
        found, total = await list_hitl_details(tx, context.cards, listing.where(*within))
    return HITLDetailCollectionResponse(hitl_details=[HITLDetailResponse.of(one) for one in found], total_entries=total)


@router.get(DETAILS)
async def get_hitl_detail(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber
) -> HITLDetailResponse:
    """Return what a task instance asks."""
    instance, asked = await _asked(context, (dag_id, dag_run_id, task_id, map_index), None)
    return HITLDetailResponse.of(HitlView(instance=instance, asked=asked))


@router.get(f"{DETAILS}/tries/{{try_number}}")
async def get_hitl_detail_try_detail(
    context: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: WholeNumber, try_number: WholeNumber
) -> HITLDetailHistoryResponse:
    """Return what one try of a task instance has asked."""
    instance, asked = await _asked(context, (dag_id, dag_run_id, task_id, map_index), try_number)
    async with context.backends.metastore.reading() as tx:
        shape = TaskInstanceHistoryResponse.of(instance, await get_try(tx, instance, try_number))
    return HITLDetailHistoryResponse.of_try(asked, shape)


@router.patch(DETAILS)
async def update_hitl_detail(
    context: Context,
    caller: Caller,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    map_index: WholeNumber,
    body: AnswerHITLBody,
) -> HITLAnswerResponse:
    """Answer what a task instance asks; the task goes on with it."""
    given = await answer_hitl(
        context.backends,
        dag_id=DagId(dag_id),
        run_id=RunId(dag_run_id),
        task_id=TaskId(task_id),
        map_index=map_index,
        chosen_options=body.chosen_options,
        params_input=body.params_input,
        user=caller.username,
    )
    return HITLAnswerResponse.of(given)


async def _asked(
    context: ApiContext, key: tuple[str, str, str, int], try_number: int | None
) -> tuple[InstanceView, Asked]:
    async with context.backends.metastore.reading() as tx:
        instance = await get_instance(tx, context.cards, *key)
        number = instance.try_number if try_number is None else try_number
        asked = await hitl.find(tx, InstanceKey(instance.key), number)
    if asked is None:
        raise NotFound(f"Human-in-the-loop detail does not exist for Task Instance {key[2]} of {key[1]}")
    return instance, asked
