"""Parsing a DAG file again."""

from fastapi import APIRouter

from flowd.actions.reparse_file import reparse_file
from flowd.api.context import Context
from flowd.api.dag_access import check_dag
from flowd.api.guard import ApiRoute
from flowd.db import dags
from flowd.db.views.sight import hidden_dags
from flowd.domain.dag_access import EDIT

router = APIRouter(prefix="/api/v2", route_class=ApiRoute, tags=["DAG Parsing"])


@router.put("/parseDagFile/{file_token:path}", status_code=201)
async def reparse_dag_file(context: Context, file_token: str) -> None:
    """Let a scheduler parse a file again at its next look; `file_token` is a DAG's of that name."""
    async with context.backends.metastore.reading() as tx:
        hidden, of_file = await hidden_dags(tx), await dags.of_file(tx, file_token)
    for dag_id in of_file:
        if dag_id not in hidden:
            await check_dag(context, dag_id, EDIT)
    await reparse_file(context.backends, file_token)
