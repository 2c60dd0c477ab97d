"""Variables and connections: what tasks look up by name."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from flowd.api.access import ApiRoute
from flowd.api.context import Context
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

router = APIRouter(prefix="/api/v2", route_class=ApiRoute)
_VARIABLE_FIELDS = ("key", "value", "description")
_CONNECTION_FIELDS = (
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
    variables = [VariableResponse.of(await context.variables.get(name)) for name in names]
    return VariableCollectionResponse(variables=variables, total_entries=total)


@router.post("/variables", status_code=201, tags=["Variable"])
async def post_variable(context: Context, body: VariableBody) -> VariableResponse:
    """Make a variable."""
    if body.key in await context.variables.names():
        raise Conflict(f"The Variable with key: `{body.key}` already exists")
    await context.variables.set(body.to_stored())
    return await get_variable(context, body.key)


@router.get("/variables/{variable_key:path}", tags=["Variable"])
async def get_variable(context: Context, variable_key: str) -> VariableResponse:
    """Return a variable."""
    return VariableResponse.of(await _variable(context, variable_key))


@router.patch("/variables/{variable_key:path}", tags=["Variable"])
async def patch_variable(
    context: Context, variable_key: str, body: VariableBody, update_mask: Annotated[list[str] | None, Query()] = None
) -> VariableResponse:
    """Change a variable; a value of three stars stays."""
    if body.key != variable_key:
        raise InvalidInput("Invalid body, key from request body doesn't match uri parameter")
    named = fields_named(body.model_fields_set, update_mask, _VARIABLE_FIELDS)
    before, given = await _variable(context, variable_key), body.to_stored()
    if given.value == HIDDEN:
        named = named - {"value"}
    changes = {name: getattr(given, name) for name in ("value", "description") if name in named}
    await context.variables.set(replace(before, **changes))
    return await get_variable(context, variable_key)


@router.delete("/variables/{variable_key:path}", status_code=204, tags=["Variable"])
async def delete_variable(context: Context, variable_key: str) -> None:
    """Remove a variable."""
    await _variable(context, variable_key)
    await context.variables.delete(variable_key)


@router.get("/connections", tags=["Connection"], openapi_extra=parameters_of(CONNECTIONS))
async def get_connections(
    context: Context, listing: Annotated[Listing, Depends(listing_of(CONNECTIONS))]
) -> ConnectionCollectionResponse:
    """List connections, their passwords hidden."""
    async with context.backends.metastore.reading() as tx:
        names, total = await names_of(tx, CONNECTIONS, listing)
    connections = [ConnectionResponse.of(await context.connections.get(name)) for name in names]
    return ConnectionCollectionResponse(connections=connections, total_entries=total)


@router.post("/connections", status_code=201, tags=["Connection"])
async def post_connection(context: Context, body: ConnectionBody) -> ConnectionResponse:
    """Make a connection."""
    if await _exists(context, body.connection_id):
        raise Conflict(f"The Connection with connection_id: `{body.connection_id}` already exists")
    await context.connections.set(body.to_stored())
    return await get_connection(context, body.connection_id)


@router.get("/connections/{connection_id}", tags=["Connection"])
async def get_connection(context: Context, connection_id: str) -> ConnectionResponse:
    """Return a connection, its password hidden."""
    return ConnectionResponse.of(await _connection(context, connection_id))


@router.patch("/connections/{connection_id}", tags=["Connection"])
async def patch_connection(
    context: Context, connection_id: str, body: ConnectionBody, update_mask: Annotated[list[str] | None, Query()] = None
) -> ConnectionResponse:
    """Change a connection; a password of three stars stays."""
    if body.connection_id != connection_id:
        raise InvalidInput("The connection_id in the request body does not match the URL parameter")
    given = {"schema" if name == "schema_" else name for name in body.model_fields_set}
    named = fields_named(given & set(_CONNECTION_FIELDS), update_mask, _CONNECTION_FIELDS) - {"connection_id"}
    before = await _connection(context, connection_id)
    after = body.to_stored(before)
    changes: dict[str, Any] = {name: getattr(after, name) for name in named}
    await context.connections.set(replace(before, **changes))
    return await get_connection(context, connection_id)


@router.delete("/connections/{connection_id}", status_code=204, tags=["Connection"])
async def delete_connection(context: Context, connection_id: str) -> None:
    """Remove a connection."""
    await _connection(context, connection_id)
    await context.connections.delete(connection_id)


async def _variable(context: Context, key: str) -> StoredVariable:
    try:
        return await context.variables.get(key)
    except NotFound as error:
        raise NotFound(f"The Variable with key: `{key}` was not found") from error


async def _connection(context: Context, connection_id: str) -> StoredConnection:
    try:
        return await context.connections.get(connection_id)
    except NotFound as error:
        raise NotFound(f"The Connection with connection_id: `{connection_id}` was not found") from error


async def _exists(context: Context, connection_id: str) -> bool:
    try:
        await context.connections.get(connection_id)
    except NotFound:
        return False
    return True
