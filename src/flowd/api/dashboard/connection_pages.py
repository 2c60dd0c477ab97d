"""The pages of connections. A password, and what in an extra sounds secret, is never shown again."""

from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.forms import YES, Typed, body_of, needed
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.errors import status_of
from flowd.api.routes import connection_tests, secrets
from flowd.api.routes.connection_tests import require_tests
from flowd.api.schemas.secrets import HIDDEN, ConnectionBody, ConnectionResponse, ConnectionTestResponse
from flowd.db.views.listing import Contains, Listing
from flowd.db.views.secrets import CONNECTIONS, names_of
from flowd.domain.errors import FlowdError
from flowd.security.vault import Sealed

router = APIRouter(prefix="/connections", route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
_FIELDS = ("connection_id", "conn_type", "description", "host", "port", "schema", "login", "extra")
_NEW = dict.fromkeys(_FIELDS, "")


class _Outcome(TypedDict, total=False):
    """What came of a test, or why there was none."""

    tested: ConnectionTestResponse
    problem: FlowdError


@router.get("")
async def connections_page(
    request: Request, context: Context, q: str = "", offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """List the connections."""
    return await _list(request, context, q=q, offset=offset)


@router.post("")
async def post_connection(request: Request, context: Context, typed: Typed) -> Response:
    """Make a connection."""
    try:
        await secrets.post_connection(context, _body(typed))
    except FlowdError as error:
        return await _list(request, context, typed=_NEW | typed, problem=error)
    return RedirectResponse("/connections", 303)


@router.post("/change")
async def patch_connection(request: Request, context: Context, typed: Typed) -> Response:
    """Change a connection; where no password is typed it keeps its own."""
    name = needed(typed, "connection_id")
    try:
        is_kept = not typed.get("password") and typed.get("no_password") != YES
        await secrets.patch_connection(context, name, _body({**typed, "password": HIDDEN} if is_kept else typed))
    except FlowdError as error:
        return await _form(request, context, name, typed=typed, problem=error)
    return RedirectResponse("/connections", 303)


@router.post("/test")
async def test_connection(request: Request, context: Context, typed: Typed) -> Response:
    """Test what is typed, and show the form again with what came of it; nothing is stored.

    `is_stored` says that it is a change that is typed: where no password is, it is the stored one.
    """
    require_tests(context)
    is_stored = typed.get("is_stored") == YES
    name = needed(typed, "connection_id")
    try:
        is_kept = is_stored and not typed.get("password") and typed.get("no_password") != YES
        body = _body({**typed, "password": HIDDEN} if is_kept else typed)
        outcome: _Outcome = {"tested": await connection_tests.test_connection(context, body)}
    except FlowdError as error:
        outcome = {"problem": error}
    if is_stored:
        return await _form(request, context, name, typed=typed, **outcome)
    return await _list(request, context, typed=_NEW | typed, **outcome)


@router.post("/delete")
async def delete_connection(context: Context, typed: Typed) -> Response:
    """Remove a connection."""
    # Not as the API, which looks at it first: one that this node has no key for can be removed all the same.
    await context.connections.delete(needed(typed, "connection_id"))
    return RedirectResponse("/connections", 303)


@router.get("/{connection_id:path}")
async def connection_page(request: Request, context: Context, connection_id: str) -> Response:
    """Show the form by which a connection is changed."""
    return await _form(request, context, connection_id)


async def _list(
    request: Request,
    context: ApiContext,
    *,
    q: str = "",
    offset: int = 0,
    typed: Mapping[str, str] = _NEW,
    problem: FlowdError | None = None,
    tested: ConnectionTestResponse | None = None,
) -> Response:
    conditions = (Contains("connection_id", q),) if q else ()
    async with context.backends.metastore.reading() as tx:
        names, total = await names_of(tx, CONNECTIONS, Listing(conditions=conditions, limit=PAGE_ROWS, offset=offset))
    return render(
        request,
        "connections.html",
        status=200 if problem is None else status_of(problem),
        connections=[ConnectionResponse.of(one) for one in await context.connections.some(names)],
        total=total,
        q=q,
        offset=offset,
        rows=PAGE_ROWS,
        typed=typed,
        problem=problem,
        tested=tested,
        is_testable=context.settings.api.test_connections,
    )


async def _form(
    request: Request,
    context: ApiContext,
    name: str,
    *,
    typed: Mapping[str, str] | None = None,
    problem: FlowdError | None = None,
    tested: ConnectionTestResponse | None = None,
) -> Response:
    status = 200 if problem is None else status_of(problem)
    try:
        stored = await secrets.get_connection(context, name)
    except Sealed as error:
        (unopened,) = await context.connections.some([name])
        stored, problem = ConnectionResponse.of(unopened), problem or error
    document = stored.model_dump(by_alias=True)
    values = {field: "" if document[field] is None else str(document[field]) for field in _FIELDS}
    return render(
        request,
        "connection.html",
        status=status,
        connection=stored,
        typed=values | dict(typed or {}),
        problem=problem,
        tested=tested,
        is_testable=context.settings.api.test_connections,
    )


def _body(typed: Mapping[str, str]) -> ConnectionBody:
    values: dict[str, Any] = {name: typed.get(name, "").strip() for name in _FIELDS}
    values["port"] = values["port"] or None
    return body_of(ConnectionBody, {**values, "password": typed.get("password", "")})
