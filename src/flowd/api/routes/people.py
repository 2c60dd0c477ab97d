"""Users and API tokens: who may come in, and by what. Beyond Airflow; for Admins alone."""

from datetime import timedelta
from urllib.parse import urlencode

from fastapi import APIRouter

from flowd.api.context import ApiContext, Context
from flowd.api.guard import ApiRoute
from flowd.api.schemas.people import (
    ApiTokenCollectionResponse,
    ApiTokenResponse,
    LoginLinkResponse,
    NewApiTokenResponse,
    TokenBody,
    UserBody,
    UserCollectionResponse,
    UserPatchBody,
    UserResponse,
)
from flowd.api.slices import Ordered
from flowd.db.login_links import LoginLinks
from flowd.security.account_role import AccountRole

router = APIRouter(prefix="/api/v2", route_class=ApiRoute)

_USER_KEYS = {name: lambda user, name=name: getattr(user, name) for name in ("username", "role", "created_at")}


@router.get("/users", tags=["User"])
async def get_users(context: Context, page: Ordered) -> UserCollectionResponse:
    """List everyone who may log in."""
    users = [UserResponse.of(account) for account in await context.accounts.list()]
    return UserCollectionResponse(users=page.of(users, _USER_KEYS), total_entries=len(users))


@router.post("/users", status_code=201, tags=["User"])
async def post_user(context: Context, body: UserBody) -> UserResponse:
    """Let somebody in."""
    role = AccountRole.parse(body.role)
    return UserResponse.of(await context.accounts.create(body.username, role, body.password, body.groups))


@router.get("/users/{username}", tags=["User"])
async def get_user(context: Context, username: str) -> UserResponse:
    """Return a user."""
    return UserResponse.of(await context.accounts.get(username))


@router.patch("/users/{username}", tags=["User"])
async def patch_user(context: Context, username: str, body: UserPatchBody) -> UserResponse:
    """Give somebody another role, other groups or another password, shut them out or let them in again.

    The last Admin stays one: 409.
    """
    role = None if body.role is None else AccountRole.parse(body.role)
    await context.accounts.change(
        username, role=role, groups=body.groups, is_active=body.is_active, password=body.password
    )
    return UserResponse.of(await context.accounts.get(username))


@router.delete("/users/{username}", status_code=204, tags=["User"])
async def delete_user(context: Context, username: str) -> None:
    """Shut somebody out for good."""
    await context.accounts.delete(username)


@router.post("/users/{username}/revoke", status_code=204, tags=["User"])
async def revoke_user(context: Context, username: str) -> None:
    """End whatever lets somebody in but their password: sessions, login links, tokens of any kind."""
    await context.accounts.revoke(username)


@router.post("/users/{username}/loginLink", status_code=201, tags=["User"])
async def post_login_link(context: Context, username: str) -> LoginLinkResponse:
    """Make a link that logs somebody in once, within 15 minutes."""
    return LoginLinkResponse(path=await login_path(context, username))


@router.get("/tokens", tags=["Token"])
async def get_tokens(context: Context, page: Ordered, username: str | None = None) -> ApiTokenCollectionResponse:
    """List the tokens of one user or of all, those that have expired included; their secrets are kept by nobody."""
    return ApiTokenCollectionResponse.of(await context.api_tokens.list(username), page)


@router.post("/tokens", status_code=201, tags=["Token"])
async def post_token(context: Context, body: TokenBody) -> NewApiTokenResponse:
    """Make a token for somebody, and return its secret, this once."""
    role = None if body.role is None else AccountRole.parse(body.role)
    lifetime = timedelta(seconds=body.lifetime_seconds)
    secret, token = await context.api_tokens.create(body.username, body.name, lifetime, role)
    return NewApiTokenResponse(**ApiTokenResponse.of(token).model_dump(), secret=secret)


@router.delete("/tokens/{username}/{token_name}", status_code=204, tags=["Token"])
async def delete_token(context: Context, username: str, token_name: str) -> None:
    """Let a token in no more."""
    await context.api_tokens.revoke(username, token_name)


async def login_path(context: ApiContext, username: str) -> str:
    """Return the path that logs somebody in once, within 15 minutes; raise NotFound."""
    return f"/login?{urlencode({'token': await LoginLinks(context.backends.metastore).issue(username)})}"
