"""Import errors: files of the DAG folder that gave no DAGs."""

from typing import Annotated

from fastapi import APIRouter, Depends

from flowd.api.context import Context
from flowd.api.guard import ApiRoute
from flowd.api.pagination import listing_of, parameters_of
from flowd.api.schemas.monitor import ImportErrorCollectionResponse, ImportErrorResponse
from flowd.api.storable import WholeNumber
from flowd.db.views.import_errors import IMPORT_ERRORS, get_import_error, list_import_errors
from flowd.db.views.listing import Listing

router = APIRouter(prefix="/api/v2", route_class=ApiRoute)


@router.get("/importErrors", tags=["Import Error"], openapi_extra=parameters_of(IMPORT_ERRORS))
async def get_import_errors(
    context: Context, listing: Annotated[Listing, Depends(listing_of(IMPORT_ERRORS))]
) -> ImportErrorCollectionResponse:
    """List the files that gave no DAGs, and why."""
    async with context.backends.metastore.reading() as tx:
        errors, total = await list_import_errors(tx, listing)
    return ImportErrorCollectionResponse(
        import_errors=[ImportErrorResponse.of(error) for error in errors], total_entries=total
    )


@router.get("/importErrors/{import_error_id}", tags=["Import Error"])
async def get_one_import_error(context: Context, import_error_id: WholeNumber) -> ImportErrorResponse:
    """Return why a file gave no DAGs."""
    async with context.backends.metastore.reading() as tx:
        return ImportErrorResponse.of(await get_import_error(tx, import_error_id))
