"""The pages on which an Admin manages people and their tokens."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.dashboard.token_form import TokenForm, lifetime_of
from flowd.api.routes.people import login_path
from flowd.security.account_role import AccountRole

router = APIRouter(prefix="/users", route_class=PageRoute, include_in_schema=False)


@router.get("")
async def users_page(request: Request, context: Context) -> Response:
    """List everybody who may log in."""
    return render(request, "users.html", users=await context.accounts.list(), roles=list(AccountRole))


@router.post("")
async def make_user(
    context: Context,
    username: Annotated[str, Form()],
    role: Annotated[AccountRole, Form()],
    groups: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    """Let somebody in, and go to their page."""
    await context.accounts.create(username, role, password or None, _groups(groups))
    return _to(username)


@router.get("/{username}")
async def user_page(request: Request, context: Context, username: str) -> Response:
    """Show somebody who may log in, and what lets scripts in as them."""
    return await _page(request, context, username)


@router.post("/{username}")
async def change_user(
    context: Context,
    username: str,
    role: Annotated[AccountRole, Form()],
    groups: Annotated[str, Form()] = "",
    is_active: Annotated[bool, Form()] = False,
) -> Response:
    """Change what somebody may do, and whether they are let in."""
    await context.accounts.change(username, role=role, groups=_groups(groups), is_active=is_active)
    return _to(username)


@router.post("/{username}/password")
async def set_password(context: Context, username: str, password: Annotated[str, Form()]) -> Response:
    """Give somebody another password."""
    await context.accounts.set_password(username, password)
    return _to(username)


@router.post("/{username}/login-link")
async def make_login_link(request: Request, context: Context, username: str) -> Response:
    """Show a link that logs somebody in once."""
    return await _page(
        request, context, username, link=f"{context.settings.api.url}{await login_path(context, username)}"
    )


@router.post("/{username}/revoke")
async def revoke(context: Context, username: str) -> Response:
    """End somebody's sessions and tokens."""
    await context.accounts.revoke(username)
    return _to(username)


@router.post("/{username}/delete")
async def delete(context: Context, username: str) -> Response:
    """Shut somebody out for good."""
    await context.accounts.delete(username)
    return RedirectResponse("/users", 303)


@router.post("/{username}/tokens")
async def make_token(request: Request, context: Context, username: str, form: TokenForm) -> Response:
    """Make a token of somebody, and show its secret this once."""
    secret, _ = await context.api_tokens.create(username, form.name, lifetime_of(form), form.role)
    return await _page(request, context, username, secret=secret)


@router.post("/{username}/tokens/revoke")
async def revoke_token(context: Context, username: str, name: Annotated[str, Form()]) -> Response:
    """Let a token in no more."""
    await context.api_tokens.revoke(username, name)
    return _to(username)


async def _page(
    request: Request, context: ApiContext, username: str, *, secret: str | None = None, link: str | None = None
) -> Response:
    return render(
        request,
        "user.html",
        user=await context.accounts.get(username),
        tokens=await context.api_tokens.list(username),
        roles=list(AccountRole),
        secret=secret,
        link=link,
    )


def _groups(text: str) -> list[str]:
    return [group.strip() for group in text.split(",") if group.strip()]


def _to(username: str) -> RedirectResponse:
    return RedirectResponse(f"/users/{quote(username, safe='')}", 303)
