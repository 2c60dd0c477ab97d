"""The pages of variables. A value whose name sounds secret is never shown again."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.forms import Typed, body_of, needed
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.errors import status_of
from flowd.api.routes import secrets
from flowd.api.schemas.secrets import HIDDEN, VariableBody, VariableResponse
from flowd.db.views.listing import Contains, Listing
from flowd.db.views.secrets import VARIABLES, names_of
from flowd.domain.errors import FlowdError
from flowd.security.vault import Sealed

router = APIRouter(prefix="/variables", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
_NEW = {"key": "", "value": "", "description": ""}


@router.get("")
async def variables_page(
    request: Request, context: Context, q: str = "", offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """List the variables."""
    return await _list(request, context, q=q, offset=offset)


@router.post("")
async def post_variable(request: Request, context: Context, typed: Typed) -> Response:
    """Make a variable."""
    try:
        await secrets.post_variable(context, _body(typed))
    except FlowdError as error:
        return await _list(request, context, typed=_NEW | typed, problem=error)
    return RedirectResponse("/variables", 303)


@router.post("/change")
async def patch_variable(request: Request, context: Context, typed: Typed) -> Response:
    """Change a variable; a secret one for which nothing is typed keeps its value."""
    key = needed(typed, "key")
    try:
        shown = [VariableResponse.of(one) for one in await context.variables.some([key])]
        keeps = not typed.get("value") and any(one.value == HIDDEN for one in shown)
        await secrets.patch_variable(context, key, _body({**typed, "value": HIDDEN} if keeps else typed))
    except FlowdError as error:
        return await _form(request, context, key, typed=typed, problem=error)
    return RedirectResponse("/variables", 303)


@router.post("/delete")
async def delete_variable(context: Context, typed: Typed) -> Response:
    """Remove a variable."""
    # Not as the API, which looks at it first: one that this node has no key for can be removed all the same.
    await context.variables.delete(needed(typed, "key"))
    return RedirectResponse("/variables", 303)


@router.get("/{variable_key:path}")
async def variable_page(request: Request, context: Context, variable_key: str) -> Response:
    """Show the form by which a variable is changed."""
    return await _form(request, context, variable_key)


async def _list(
    request: Request,
    context: ApiContext,
    *,
    q: str = "",
    offset: int = 0,
    typed: Mapping[str, str] = _NEW,
    problem: FlowdError | None = None,
) -> Response:
    conditions = (Contains("key", q),) if q else ()
    async with context.backends.metastore.reading() as tx:
        keys, total = await names_of(tx, VARIABLES, Listing(conditions=conditions, limit=PAGE_ROWS, offset=offset))
    return render(
        request,
        "variables.html",
        status=200 if problem is None else status_of(problem),
        variables=[VariableResponse.of(one) for one in await context.variables.some(keys)],
        total=total,
        q=q,
        offset=offset,
        rows=PAGE_ROWS,
        typed=typed,
        problem=problem,
    )


async def _form(
    request: Request,
    context: ApiContext,
    key: str,
    *,
    typed: Mapping[str, str] | None = None,
    problem: FlowdError | None = None,
) -> Response:
    status = 200 if problem is None else status_of(problem)
    try:
        stored = await secrets.get_variable(context, key)
    except Sealed as error:
        (unopened,) = await context.variables.some([key])
        stored, problem = VariableResponse.of(unopened), problem or error
    is_hidden = stored.value == HIDDEN
    values = {"value": stored.value or "", "description": stored.description or "", **(typed or {})}
    if is_hidden:
        values["value"] = ""
    return render(
        request,
        "variable.html",
        status=status,
        key=key,
        is_hidden=is_hidden,
        typed=values,
        problem=problem,
    )


def _body(typed: Mapping[str, str]) -> VariableBody:
    # Browsers write the ends of lines in forms as the web does.
    return body_of(VariableBody, {**typed, "value": typed.get("value", "").replace("\r\n", "\n")})
