"""Bulk changes of pools, variables and connections."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from flowd.api.bulk import BulkBody, BulkResponse, Noun, perform
from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.routes.pools import delete_pool, patch_pool, pool_of
from flowd.api.routes.secrets import delete_connection, delete_variable, patch_connection, patch_variable
from flowd.api.schemas.pools import PoolBody, PoolPatchBody
from flowd.api.schemas.secrets import ConnectionBody, VariableBody

router = APIRouter(prefix="/api/v2", route_class=ApiRoute)


@router.patch("/pools", tags=["Pool"])
async def bulk_pools(context: Context, body: BulkBody[PoolBody]) -> BulkResponse:
    """Make, change and remove pools."""

    async def known(pools: Sequence[PoolBody]) -> set[str]:
        return {pool.name for pool in pools} & {pool.name for pool in await context.pools.list()}

    async def update(pool: PoolBody, mask: list[str] | None) -> Any:
        given = {"pool" if name == "name" else name: value for name, value in pool.model_dump().items()}
        await patch_pool(context, pool.name, PoolPatchBody(**given), mask or sorted(pool.model_fields_set))

    return await perform(
        body,
        Noun(
            plural="pools with these pool names:",
            named=lambda name: PoolBody.model_construct(name=name),
            name=lambda pool: pool.name,
            known=known,
            replace=lambda pool: context.pools.set(pool_of(pool)),
            update=update,
            delete=lambda pool: delete_pool(context, pool.name),
        ),
    )


@router.patch("/variables", tags=["Variable"])
async def bulk_variables(context: Context, body: BulkBody[VariableBody]) -> BulkResponse:
    """Make, change and remove variables."""

    async def known(variables: Sequence[VariableBody]) -> set[str]:
        return {variable.key for variable in variables} & set(await context.variables.names())

    return await perform(
        body,
        Noun(
            plural="variables with these keys:",
            named=lambda key: VariableBody.model_construct(key=key),
            name=lambda variable: variable.key,
            known=known,
            replace=lambda variable: context.variables.set(variable.to_stored()),
            update=lambda variable, mask: patch_variable(context, variable.key, variable, mask),
            delete=lambda variable: delete_variable(context, variable.key),
        ),
    )


@router.patch("/connections", tags=["Connection"])
async def bulk_connections(context: Context, body: BulkBody[ConnectionBody]) -> BulkResponse:
    """Make, change and remove connections."""

    async def known(connections: Sequence[ConnectionBody]) -> set[str]:
        stored = await context.connections.ids()
        return {connection.connection_id for connection in connections} & stored

    return await perform(
        body,
        Noun(
            plural="connections with these connection_ids:",
            named=lambda name: ConnectionBody.model_construct(connection_id=name),
            name=lambda connection: connection.connection_id,
            known=known,
            replace=lambda connection: context.connections.set(connection.to_stored()),
            update=lambda connection, mask: patch_connection(context, connection.connection_id, connection, mask),
            delete=lambda connection: delete_connection(context, connection.connection_id),
        ),
    )
