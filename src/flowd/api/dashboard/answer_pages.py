"""The form by which a person answers what a task asks."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from flowd.actions.answer_hitl import answer_hitl
from flowd.api.context import ApiContext, Caller, Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.param_fields import PARAM, typed_value
from flowd.api.storable import WholeNumber
from flowd.db import hitl
from flowd.db.accounts import Account
from flowd.db.views.task_instances import get_instance
from flowd.domain.ids import UNMAPPED, DagId, InstanceKey, RunId, TaskId

router = APIRouter(
    prefix="/dags/{dag_id}/runs/{run_id}/tasks/{task_id}", route_class=PageRoute, include_in_schema=False
)

OPTION = "option"


@router.post("/answer")
async def answer(
    request: Request, context: Context, caller: Caller, dag_id: str, run_id: str, task_id: str
) -> Response:
    """Answer what a task asks, and return to its page."""
    await _answer(request, context, caller, (dag_id, run_id, task_id, UNMAPPED))
    return RedirectResponse(_page(dag_id, run_id, task_id), 303)


@router.post("/mapped/{map_index}/answer")
async def answer_mapped(
    request: Request, context: Context, caller: Caller, dag_id: str, run_id: str, task_id: str, map_index: WholeNumber
) -> Response:
    """Answer what a mapped task asks, and return to its page."""
    await _answer(request, context, caller, (dag_id, run_id, task_id, map_index))
    return RedirectResponse(f"{_page(dag_id, run_id, task_id)}/mapped/{map_index}", 303)


async def _answer(request: Request, context: ApiContext, caller: Account, key: tuple[str, str, str, int]) -> None:
    dag_id, run_id, task_id, map_index = key
    async with context.backends.metastore.reading() as tx:
        instance = await get_instance(tx, context.cards, *key)
        asked = await hitl.find(tx, InstanceKey(instance.key), instance.try_number)
    params = asked.question.params if asked is not None else {}
    form = await request.form()
    given = {name: str(form[f"{PARAM}{name}"]) for name in params if f"{PARAM}{name}" in form}
    await answer_hitl(
        context.backends,
        dag_id=DagId(dag_id),
        run_id=RunId(run_id),
        task_id=TaskId(task_id),
        map_index=map_index,
        chosen_options=[str(option) for option in form.getlist(OPTION)],
        params_input={name: typed_value(params[name], text) for name, text in given.items()},
        user=caller.username,
    )


def _page(dag_id: str, run_id: str, task_id: str) -> str:
    return f"/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}/tasks/{quote(task_id, safe='')}"
