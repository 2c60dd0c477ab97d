"""Variables and connections: what tasks look up by name."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.openapi import ErrorResponse, Responses
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.routes.dag_runs import fields_named
from flowd.api.schemas.secrets import (
    HIDDEN,
    ConnectionBody,
    ConnectionCollectionResponse,
    ConnectionResponse,
    VariableBody,
    VariableCollectionResponse,
    VariableResponse,
)
from flowd.db.secrets_store import StoredConnection, StoredVariable
from flowd.db.views.listing import Listing
from flowd.db.views.secrets import CONNECTIONS, VARIABLES, names_of
from flowd.domain.errors import Conflict, InvalidInput, NotFound
from flowd.security.vault import Sealed

router = APIRouter(prefix="/api/v2", route_class=ApiRoute)
SEALED: Responses = {409: {"model": ErrorResponse, "description": "This node has no key that opens it"}}
_VARIABLE_FIELDS = ("key", "value", "description")
CONNECTION_FIELDS = (
    "connection_id",
    "conn_type",
    "description",
    "host",
    "login",
    "schema",
    "port",
    "password",
    "extra",
)


@router.get("/variables", tags=["Variable"], openapi_extra=parameters_of(VARIABLES))
async def get_variables(
    context: Context, listing: Annotated[Listing, Depends(listing_of(VARIABLES))]
) -> VariableCollectionResponse:
    """List variables."""
    async with context.backends.metastore.reading() as tx:
        names, total = await names_of(tx, VARIABLES, listing)
    variables = [VariableResponse.of(one) for one in await context.variables.some(names)]
    return VariableCollectionResponse(variables=variables, total_entries=total)


@router.post("/variables", status_code=201, tags=["Variable"])
async def post_variable(context: Context, body: VariableBody) -> VariableResponse:
    """Make a variable."""
    if body.key in await context.variables.names():
        raise Conflict(f"The Variable with key: `{body.key}` already exists")
    await context.variables.set(body.to_stored())
    return await get_variable(context, body.key)


@router.get("/variables/{variable_key:path}", tags=["Variable"], responses=SEALED)
async def get_variable(context: Context, variable_key: str) -> VariableResponse:
    """Return a variable."""
    return VariableResponse.of(await _variable(context, variable_key))


@router.patch("/variables/{variable_key:path}", tags=["Variable"])
async def patch_variable(
    context: Context, variable_key: str, body: VariableBody, update_mask: Annotated[list[str] | None, Query()] = None
) -> VariableResponse:
    """Change a variable; a value of three stars stays. One that no key opens can be given another value."""
    if body.key != variable_key:
        raise InvalidInput("Invalid body, key from request body doesn't match uri parameter")
    named = fields_named(body.model_fields_set, update_mask, _VARIABLE_FIELDS)
    given = body.to_stored()
    if given.value == HIDDEN:
        named = named - {"value"}
    before = await _variable_before(context, variable_key, has_value="value" in named)
    changes = {name: getattr(given, name) for name in ("value", "description") if name in named}
    await context.variables.set(replace(before, **changes))
    return await get_variable(context, variable_key)


@router.delete("/variables/{variable_key:path}", status_code=204, tags=["Variable"])
async def delete_variable(context: Context, variable_key: str) -> None:
    """Remove a variable."""
    try:
        await context.variables.delete(variable_key)
    except NotFound as error:
        raise _no_variable(variable_key) from error


@router.get("/connections", tags=["Connection"], openapi_extra=parameters_of(CONNECTIONS))
async def get_connections(
    context: Context, listing: Annotated[Listing, Depends(listing_of(CONNECTIONS))]
) -> ConnectionCollectionResponse:
    """List connections, their passwords hidden."""
    async with context.backends.metastore.reading() as tx:
        names, total = await names_of(tx, CONNECTIONS, listing)
    connections = [ConnectionResponse.of(one) for one in await context.connections.some(names)]
    return ConnectionCollectionResponse(connections=connections, total_entries=total)


@router.post("/connections", status_code=201, tags=["Connection"])
async def post_connection(context: Context, body: ConnectionBody) -> ConnectionResponse:
    """Make a connection."""
    if body.connection_id in await context.connections.ids():
        raise Conflict(f"The Connection with connection_id: `{body.connection_id}` already exists")
    await context.connections.set(body.to_stored())
    return await get_connection(context, body.connection_id)


@router.get("/connections/{connection_id}", tags=["Connection"], responses=SEALED)
async def get_connection(context: Context, connection_id: str) -> ConnectionResponse:
    """Return a connection, its password hidden."""
    return ConnectionResponse.of(await _connection(context, connection_id))


@router.patch("/connections/{connection_id}", tags=["Connection"])
async def patch_connection(
    context: Context, connection_id: str, body: ConnectionBody, update_mask: Annotated[list[str] | None, Query()] = None
) -> ConnectionResponse:
    """Change a connection; a password of three stars stays. One that no key opens can be given anew, as a whole."""
    if body.connection_id != connection_id:
        raise InvalidInput("The connection_id in the request body does not match the URL parameter")
    given = {"schema" if name == "schema_" else name for name in body.model_fields_set}
    named = fields_named(given & set(CONNECTION_FIELDS), update_mask, CONNECTION_FIELDS) - {"connection_id"}
    before = await _connection_before(context, connection_id, body, is_partial=update_mask is not None)
    after = body.to_stored(before)
    changes: dict[str, Any] = {name: getattr(after, name) for name in named}
    await context.connections.set(replace(before, **changes))
    return await get_connection(context, connection_id)


@router.delete("/connections/{connection_id}", status_code=204, tags=["Connection"])
async def delete_connection(context: Context, connection_id: str) -> None:
    """Remove a connection."""
    try:
        await context.connections.delete(connection_id)
    except NotFound as error:
        raise _no_connection(connection_id) from error


async def conn_type_of(context: Context, connection_id: str) -> str:
    """Return the type of a connection, also of one that no key opens; raise NotFound."""
    for one in await context.connections.some([connection_id]):
        return one.conn_type
    raise _no_connection(connection_id)


async def _variable(context: Context, key: str) -> StoredVariable:
    try:
        return await context.variables.get(key)
    except NotFound as error:
        raise _no_variable(key) from error


async def _variable_before(context: Context, key: str, *, has_value: bool) -> StoredVariable:
    try:
        return await _variable(context, key)
    except Sealed:
        if not has_value:
            raise
        return StoredVariable(name=key, value="", description=(await context.variables.names()).get(key, ""))


async def _connection(context: Context, connection_id: str) -> StoredConnection:
    try:
        return await context.connections.get(connection_id)
    except NotFound as error:
        raise _no_connection(connection_id) from error


async def _connection_before(
    context: Context, connection_id: str, body: ConnectionBody, *, is_partial: bool
) -> StoredConnection:
    try:
        return await _connection(context, connection_id)
    except Sealed:
        if is_partial or not body.is_whole:
            raise
        return StoredConnection(conn_id=connection_id, conn_type=body.conn_type)


def _no_variable(key: str) -> NotFound:
    return NotFound(f"The Variable with key: `{key}` was not found")


def _no_connection(connection_id: str) -> NotFound:
    return NotFound(f"The Connection with connection_id: `{connection_id}` was not found")
