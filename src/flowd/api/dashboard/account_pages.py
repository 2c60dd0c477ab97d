"""The page of whoever is logged in: their password and their tokens."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import ApiContext, Caller, Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.dashboard.token_form import TokenForm, lifetime_of
from flowd.api.routes.me import change_own_password
from flowd.db.accounts import Account
from flowd.security.account_role import AccountRole

router = APIRouter(prefix="/account", route_class=PageRoute, include_in_schema=False)


@router.get("")
async def account_page(request: Request, context: Context, caller: Caller) -> Response:
    """Show who is logged in, and what lets scripts in as them."""
    return await _page(request, context, caller)


@router.post("/password")
async def change_password(
    request: Request,
    context: Context,
    caller: Caller,
    old_password: Annotated[str, Form()],
    new_password: Annotated[str, Form()],
) -> Response:
    """Replace one's own password; it ends this session, too."""
    await change_own_password(request, context, caller, old_password, new_password)
    return RedirectResponse("/login?next=/account", 303)


@router.post("/tokens")
async def make_token(request: Request, context: Context, caller: Caller, form: TokenForm) -> Response:
    """Make a token of one's own, and show its secret this once."""
    secret, _ = await context.api_tokens.create(caller.username, form.name, lifetime_of(form), form.role)
    return await _page(request, context, caller, secret)


@router.post("/tokens/revoke")
async def revoke_token(context: Context, caller: Caller, name: Annotated[str, Form()]) -> Response:
    """Let a token of one's own in no more."""
    await context.api_tokens.revoke(caller.username, name)
    return RedirectResponse("/account", 303)


async def _page(request: Request, context: ApiContext, caller: Account, secret: str | None = None) -> Response:
    tokens = await context.api_tokens.list(caller.username)
    roles = [role for role in AccountRole if caller.role.includes(role)]
    return render(request, "account.html", tokens=tokens, roles=roles, secret=secret)
