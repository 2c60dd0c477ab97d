"""What the buttons of a DAG do: pause, favourite."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from flowd.actions.favorite_dag import set_favorite
from flowd.actions.pause_dag import set_paused
from flowd.api.context import Caller, Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.local_path import local_path
from flowd.api.dashboard.words import segment
from flowd.domain.ids import DagId

router = APIRouter(prefix="/dags/{dag_id}", route_class=PageRoute, include_in_schema=False)


@router.post("/pause")
async def pause(
    context: Context, dag_id: str, is_paused: Annotated[bool, Form()], back: Annotated[str, Form()] = ""
) -> Response:
    """Pause or unpause a DAG, and return to the page it was asked from."""
    await set_paused(context.backends, DagId(dag_id), is_paused)
    return RedirectResponse(local_path(back) if back else f"/dags/{segment(dag_id)}", 303)


@router.post("/favorite")
async def favorite(
    context: Context,
    caller: Caller,
    dag_id: str,
    is_favorite: Annotated[bool, Form()],
    back: Annotated[str, Form()] = "",
) -> Response:
    """Make a DAG a favourite of the caller, or no longer, and return to the page it was asked from."""
    await set_favorite(context.backends, DagId(dag_id), caller.username, is_favorite)
    return RedirectResponse(local_path(back) if back else f"/dags/{segment(dag_id)}", 303)
