"""Logging in and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.login import TooManyAttempts
from flowd.api.routes.tokens import address_of
from flowd.api.sessions import COOKIE
from flowd.db.accounts import Account
from flowd.domain.errors import Unauthorised

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/login")
async def login_page(request: Request, context: Context, token: str | None = None, next: str = "/") -> Response:
    """Show the form; a one-time link asks for one more click, so that whoever previews it does not use it up."""
    return render(request, "login.html", token=token, next=_local(next), problem=None)


@router.post("/login")
async def log_in(
    request: Request,
    context: Context,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    token: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Begin a session by password or by one-time link."""
    try:
        if token:
            account = await context.login.by_link(token, address_of(request))
        else:
            account = await context.login.by_password(username, password, address_of(request))
    except (Unauthorised, TooManyAttempts) as error:
        status = 429 if isinstance(error, TooManyAttempts) else 401
        return render(request, "login.html", status=status, token=None, next=_local(next), problem=str(error))
    return _with_session(request, context, account, RedirectResponse(_local(next), 303))


@router.post("/logout")
async def log_out() -> Response:
    """End the session."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response


def _with_session(request: Request, context: ApiContext, account: Account, response: Response) -> Response:
    is_https = request.url.scheme == "https" or context.settings.api.url.startswith("https://")
    response.set_cookie(
        COOKIE,
        context.sessions.begin(account.username, context.backends.clock.now()),
        max_age=int(context.sessions.lifetime.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_https,
    )
    return response


def _local(path: str) -> str:
    """The path, or / where it would lead to another site."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_local else "/"
