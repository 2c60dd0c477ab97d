"""Logging in and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.guard import COOKIE, PageRoute
from flowd.api.dashboard.local_path import local_path
from flowd.api.dashboard.pages import render
from flowd.api.errors import headers_of
from flowd.api.login import LINK, LOGIN, LOGOUT, PASSWORD, TooManyAttempts
from flowd.api.visit import visit_of
from flowd.db.accounts import Account
from flowd.domain.errors import Unauthorised

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/login")
async def login_page(request: Request, context: Context, token: str | None = None, next: str = "/") -> Response:
    """Show the form; a one-time link asks for one more click, so that whoever previews it does not use it up."""
    return login_form(request, context, token=token, next=next)


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
    visit = visit_of(request)
    try:
        if token:
            account = await context.login.by_link(token, visit)
        else:
            account = await context.login.by_password(username, password, visit)
    except (Unauthorised, TooManyAttempts) as error:
        status = 429 if isinstance(error, TooManyAttempts) else 401
        form = login_form(request, context, next=next, status=status, problem=str(error))
        form.headers.update(headers_of(error))
        return form
    actor = visit.actor(LOGIN, account.username, LINK if token else PASSWORD)
    return await with_session(request, context.acting_for(actor), account, RedirectResponse(local_path(next), 303))


@router.post("/logout")
async def log_out(request: Request, context: Context) -> Response:
    """End the session."""
    # Who it was: the guard has found out, if it is a session still.
    account: Account | None = getattr(request.state, "account", None)
    if account is not None:
        actor = visit_of(request).actor(LOGOUT, account.username, "session")
        await context.acting_for(actor).sessions.end(request.cookies[COOKIE])
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response


def login_form(
    request: Request,
    context: ApiContext,
    *,
    next: str,
    token: str | None = None,
    status: int = 200,
    problem: str | None = None,
) -> Response:
    """Return the page on which people log in."""
    provider = context.oidc.label if context.oidc else None
    values = {"token": token, "next": local_path(next), "problem": problem, "provider": provider}
    return render(request, "login.html", status=status, **values)


async def with_session(request: Request, context: ApiContext, account: Account, response: Response) -> Response:
    """Return the response with a new session of this account."""
    is_https = request.url.scheme == "https" or context.settings.api.url.startswith("https://")
    response.set_cookie(
        COOKIE,
        await context.sessions.begin(account.username, instead_of=request.cookies.get(COOKIE)),
        max_age=int(context.sessions.lifetime.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_https,
    )
    return response
