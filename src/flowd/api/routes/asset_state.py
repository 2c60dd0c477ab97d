"""What is known of an asset, over runs and DAGs."""

from typing import Annotated

from fastapi import APIRouter, Depends

from flowd.actions.keep_state import forget_of_asset, keep_of_asset
from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.routes.task_state import Key
from flowd.api.schemas.state_stores import AssetStateCollectionResponse, AssetStateResponse, ValueBody
from flowd.api.storable import WholeNumber
from flowd.db import assets
from flowd.db.views.listing import EVERY_ROW, Listing, OneOf
from flowd.db.views.state_stores import ASSET_STATE, list_of_asset
from flowd.domain.errors import NotFound

router = APIRouter(prefix="/api/v2/assets/{asset_id}/state-store", route_class=ApiRoute, tags=["Asset State Store"])


@router.get("", openapi_extra=parameters_of(ASSET_STATE))
async def list_asset_state(
    context: Context, asset_id: WholeNumber, listing: Annotated[Listing, Depends(listing_of(ASSET_STATE))]
) -> AssetStateCollectionResponse:
    """List what an asset keeps, by key."""
    async with context.backends.metastore.reading() as tx:
        if not await assets.is_known(tx, asset_id):
            raise NotFound(f"The Asset with ID: `{asset_id}` was not found")
        kept, total = await list_of_asset(tx, asset_id, listing)
    shapes = [AssetStateResponse.of(one) for one in kept]
    return AssetStateCollectionResponse(asset_state_store=shapes, total_entries=total)


@router.delete("", status_code=204)
async def clear_asset_state(context: Context, asset_id: WholeNumber) -> None:
    """Delete everything that an asset keeps."""
    await forget_of_asset(context.backends, asset_id, None)


@router.get("/{key:path}")
async def get_asset_state(context: Context, asset_id: WholeNumber, key: Key) -> AssetStateResponse:
    """Return a value that an asset keeps, and who wrote it."""
    async with context.backends.metastore.reading() as tx:
        kept, _ = await list_of_asset(tx, asset_id, EVERY_ROW.where(OneOf("key", (key,))))
    if not kept:
        raise NotFound(f"Asset state store key {key!r} not found")
    return AssetStateResponse.of(kept[0])


@router.put("/{key:path}", status_code=204)
async def set_asset_state(context: Context, asset_id: WholeNumber, key: Key, body: ValueBody) -> None:
    """Let an asset keep a value, in the place of one of this key."""
    await keep_of_asset(context.backends, asset_id, key, body.value)


@router.delete("/{key:path}", status_code=204)
async def delete_asset_state(context: Context, asset_id: WholeNumber, key: Key) -> None:
    """Delete a value that an asset keeps; what is not there is no error."""
    await forget_of_asset(context.backends, asset_id, key)
