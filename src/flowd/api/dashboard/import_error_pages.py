"""The page of import errors: files of the DAG folder that gave no DAGs, and why."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import Context
from flowd.api.dashboard.forms import Typed, needed
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.routes import dag_parsing
from flowd.db.views.import_errors import list_import_errors
from flowd.db.views.listing import Contains, Listing, Order

router = APIRouter(prefix="/import_errors", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 30


@router.get("")
async def import_errors_page(
    request: Request, context: Context, q: str = "", offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """List the files that could not be read, the latest first."""
    listing = Listing(
        conditions=(Contains("filename", q),) if q else (),
        order_by=(Order("timestamp", is_descending=True),),
        limit=PAGE_ROWS,
        offset=offset,
    )
    async with context.backends.metastore.reading() as tx:
        errors, total = await list_import_errors(tx, listing)
    return render(request, "import_errors.html", errors=errors, total=total, q=q, offset=offset, rows=PAGE_ROWS)


@router.post("/reparse")
async def reparse_dag_file(context: Context, typed: Typed) -> Response:
    """Let a scheduler read a file again."""
    await dag_parsing.reparse_dag_file(context, needed(typed, "file"))
    return RedirectResponse("/import_errors", 303)
