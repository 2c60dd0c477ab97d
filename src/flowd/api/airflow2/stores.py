"""Pools, variables and connections, as Airflow 2 has them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from flowd.api.airflow2.bodies import Version1ConnectionBody, Version1PoolBody, Version1VariableBody, converted, given
from flowd.api.airflow2.route import PREFIX, Version1Route, listing
from flowd.api.airflow2.shapes import (
    Version1Connection,
    Version1ConnectionCollection,
    Version1Pool,
    Version1PoolCollection,
    Version1Variable,
    Version1VariableCollection,
)
from flowd.api.context import Context
from flowd.api.routes import pools, secrets
from flowd.api.schemas.pools import PoolBody, PoolPatchBody
from flowd.api.schemas.secrets import ConnectionBody, VariableBody
from flowd.db.views.pools import POOLS
from flowd.db.views.secrets import CONNECTIONS, VARIABLES
from flowd.domain.errors import InvalidInput

router = APIRouter(prefix=PREFIX, route_class=Version1Route, tags=["Airflow 2: Pool, Variable, Connection"])
Mask = Annotated[list[str] | None, Query()]


@router.get("/pools")
async def get_pools(request: Request, context: Context) -> Version1PoolCollection:
    """List pools."""
    found = await pools.get_pools(context, listing(POOLS, request))
    shapes = [Version1Pool.of(pool) for pool in found.pools]
    return Version1PoolCollection(pools=shapes, total_entries=found.total_entries)


@router.post("/pools")
async def post_pool(context: Context, body: Version1PoolBody) -> Version1Pool:
    """Make a pool."""
    return Version1Pool.of(await pools.post_pool(context, converted(PoolBody, given(body))))


@router.get("/pools/{pool_name:path}")
async def get_pool(context: Context, pool_name: str) -> Version1Pool:
    """Return a pool."""
    return Version1Pool.of(await pools.get_one_pool(context, pool_name))


@router.patch("/pools/{pool_name:path}")
async def patch_pool(
    context: Context, pool_name: str, body: Version1PoolBody, update_mask: Mask = None
) -> Version1Pool:
    """Change a pool; what is not given stays."""
    if body.name not in (None, pool_name):
        raise InvalidInput(f"the body names the pool {body.name!r}, and the path {pool_name!r}")
    changes = {name: value for name, value in given(body).items() if name != "name"}
    mask = [name for name in (update_mask or changes) if name in changes]
    said = converted(PoolPatchBody, {"pool": pool_name, **changes})
    return Version1Pool.of(await pools.patch_pool(context, pool_name, said, mask or ["pool"]))


@router.delete("/pools/{pool_name:path}", status_code=204)
async def delete_pool(context: Context, pool_name: str) -> None:
    """Remove a pool."""
    await pools.delete_pool(context, pool_name)


@router.get("/variables")
async def get_variables(request: Request, context: Context) -> Version1VariableCollection:
    """List variables."""
    found = await secrets.get_variables(context, listing(VARIABLES, request))
    shapes = [Version1Variable.of(one) for one in found.variables]
    return Version1VariableCollection(variables=shapes, total_entries=found.total_entries)


@router.post("/variables")
async def post_variable(context: Context, body: Version1VariableBody) -> Version1Variable:
    """Make a variable."""
    return Version1Variable.of(await secrets.post_variable(context, converted(VariableBody, given(body))))


@router.get("/variables/{variable_key:path}", responses=secrets.SEALED)
async def get_variable(context: Context, variable_key: str) -> Version1Variable:
    """Return a variable."""
    return Version1Variable.of(await secrets.get_variable(context, variable_key))


@router.patch("/variables/{variable_key:path}")
async def patch_variable(
    context: Context, variable_key: str, body: Version1VariableBody, update_mask: Mask = None
) -> Version1Variable:
    """Change a variable."""
    said = converted(VariableBody, given(body))
    return Version1Variable.of(await secrets.patch_variable(context, variable_key, said, update_mask))


@router.delete("/variables/{variable_key:path}", status_code=204)
async def delete_variable(context: Context, variable_key: str) -> None:
    """Remove a variable."""
    await secrets.delete_variable(context, variable_key)


@router.get("/connections")
async def get_connections(request: Request, context: Context) -> Version1ConnectionCollection:
    """List connections, without their passwords."""
    found = await secrets.get_connections(context, listing(CONNECTIONS, request))
    shapes = [Version1Connection.of(one) for one in found.connections]
    return Version1ConnectionCollection(connections=shapes, total_entries=found.total_entries)


@router.post("/connections")
async def post_connection(context: Context, body: Version1ConnectionBody) -> Version1Connection:
    """Make a connection."""
    return Version1Connection.of(await secrets.post_connection(context, converted(ConnectionBody, given(body))))


@router.get("/connections/{connection_id}", responses=secrets.SEALED)
async def get_connection(context: Context, connection_id: str) -> Version1Connection:
    """Return a connection, without its password."""
    return Version1Connection.of(await secrets.get_connection(context, connection_id))


@router.patch("/connections/{connection_id}")
async def patch_connection(
    context: Context, connection_id: str, body: Version1ConnectionBody, update_mask: Mask = None
) -> Version1Connection:
    """Change a connection; what is not given stays."""
    kept = {"connection_id": connection_id, "conn_type": await secrets.conn_type_of(context, connection_id)}
    said = converted(ConnectionBody, kept | given(body))
    return Version1Connection.of(await secrets.patch_connection(context, connection_id, said, update_mask))


@router.delete("/connections/{connection_id}", status_code=204)
async def delete_connection(context: Context, connection_id: str) -> None:
    """Remove a connection."""
    await secrets.delete_connection(context, connection_id)
