"""Testing connections, where the settings let Ops do so."""

from dataclasses import replace

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException

from flowd.actions.try_connection import try_connection
from flowd.api.context import ApiContext, Context
from flowd.api.guard import ApiRoute
from flowd.api.routes.secrets import CONNECTION_FIELDS, SEALED
from flowd.api.schemas.secrets import ConnectionBody, ConnectionTestResponse
from flowd.db.secrets_store import StoredConnection
from flowd.domain.errors import InvalidInput, NotFound
from flowd.security.vault import Sealed

router = APIRouter(prefix="/api/v2", route_class=ApiRoute)

NOT_ENABLED = (
    "Testing connections is disabled: who tests one reaches from this server whatever it names; an administrator turns"
    " it on with FLOWD__API__TEST_CONNECTIONS=true"
)


def require_tests(context: Context) -> None:
    """Raise HTTPException 403 where connections are not tested."""
    if not context.settings.api.test_connections:
        raise HTTPException(403, NOT_ENABLED)


@router.post(
    "/connections/test",
    tags=["Connection"],
    # A dependency, and so before the body is judged: whatever is asked, the answer is no.
    dependencies=[Depends(require_tests)],
    responses=SEALED,
)
async def test_connection(context: Context, body: ConnectionBody) -> ConnectionTestResponse:
    """Say whether what a connection names answers; what the body leaves out, or hides, is that of the stored one.

    At most 15 seconds. What is hidden goes only where the stored connection leads: 400 for any other place.
    """
    tested = await try_connection(context.backends, context.tester, await _given(context, body))
    return ConnectionTestResponse(status=tested.is_ok, message=tested.message)


async def _given(context: ApiContext, body: ConnectionBody) -> StoredConnection:
    try:
        stored = await context.connections.get(body.connection_id)
    except NotFound:
        return body.to_stored()
    except Sealed:
        if not body.is_whole:
            raise
        return body.to_stored()
    whole = body.to_stored(stored)
    named = {"schema" if name == "schema_" else name for name in body.model_fields_set} & set(CONNECTION_FIELDS)
    given = replace(stored, **{name: getattr(whole, name) for name in named - {"connection_id"}})
    if body.takes_secrets_of(stored) and not given.leads_where(stored):
        raise InvalidInput(
            f"the password, or what is secret in the extra, of connection {body.connection_id!r} is sent only where the"
            " stored connection leads: save what you have changed first, or type the secret again"
        )
    return given
