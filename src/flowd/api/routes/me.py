"""One's own account: who is asking, the password, and the tokens that let scripts in."""

from datetime import timedelta

from fastapi import APIRouter, Request

from flowd.api.context import ApiContext, Caller, Context
from flowd.api.guard import ApiRoute
from flowd.api.openapi import TOO_MANY
from flowd.api.schemas.people import (
    ApiTokenCollectionResponse,
    ApiTokenResponse,
    MyTokenBody,
    NewApiTokenResponse,
    PasswordBody,
    UserResponse,
)
from flowd.api.slices import Ordered
from flowd.api.visit import visit_of
from flowd.db.accounts import Account
from flowd.domain.errors import Unauthorised
from flowd.security.account_role import AccountRole

router = APIRouter(prefix="/api/v2/me", route_class=ApiRoute, tags=["User"])


@router.get("")
async def get_me(caller: Caller) -> UserResponse:
    """Return who asks, with the role that they have here: of an API token the lower of its own and its owner's."""
    return UserResponse.of(caller)


@router.put("/password", status_code=204, responses=TOO_MANY)
async def put_my_password(request: Request, context: Context, caller: Caller, body: PasswordBody) -> None:
    """Replace one's own password; it ends every session, login link and access token from before."""
    await change_own_password(request, context, caller, body.old_password, body.new_password)


@router.get("/tokens")
async def get_my_tokens(context: Context, caller: Caller, page: Ordered) -> ApiTokenCollectionResponse:
    """List one's own API tokens, those that have expired included."""
    return ApiTokenCollectionResponse.of(await context.api_tokens.list(caller.username), page)


@router.post("/tokens", status_code=201)
async def post_my_token(context: Context, caller: Caller, body: MyTokenBody) -> NewApiTokenResponse:
    """Make an API token of one's own, and return its secret, this once."""
    check_is_person(caller)
    role = None if body.role is None else AccountRole.parse(body.role)
    lifetime = timedelta(seconds=body.lifetime_seconds)
    secret, token = await context.api_tokens.create(caller.username, body.name, lifetime, role)
    return NewApiTokenResponse(**ApiTokenResponse.of(token).model_dump(), secret=secret)


@router.delete("/tokens/{token_name}", status_code=204)
async def delete_my_token(context: Context, caller: Caller, token_name: str) -> None:
    """Let an API token of one's own in no more."""
    await context.api_tokens.revoke(caller.username, token_name)


async def change_own_password(request: Request, context: ApiContext, caller: Account, old: str, new: str) -> None:
    """Replace the caller's password; raise Unauthorised where the old one is wrong, or where they are a script."""
    check_is_person(caller)
    await context.login.by_password(caller.username, old, visit_of(request))
    await context.accounts.set_password(caller.username, new)


def check_is_person(caller: Account) -> None:
    """Raise Unauthorised for a script: else a token could outlive itself, and a low one make itself a high one."""
    if caller.api_token is not None:
        raise Unauthorised(f"the API token {caller.api_token!r} may not do this: log in with a password or a link")
