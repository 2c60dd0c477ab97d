"""The guard of pages: a session of the role in the table of access, and for every POST its form's token."""

import hmac
from urllib.parse import urlencode, urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from flowd.api.access import PUBLIC, required_role
from flowd.api.context import ApiContext, context_of
from flowd.api.dag_access import enter, needed_permission
from flowd.api.guard import Handler, allowed
from flowd.api.storable import check_url
from flowd.db.accounts import Account
from flowd.domain.errors import Unauthorised
from flowd.security.account_role import AccountRole

COOKIE = "flowd_session"
CSRF_FIELD = "csrf"
_SAME_SITE = ("same-origin", "none")


class PageRoute(APIRoute):
    """A page: without a session it sends to the login page; what a POST changes needs the session's own form."""

    def get_route_handler(self) -> Handler:
        """Return the route's handler behind its guard."""
        handler, path = super().get_route_handler(), self.path

        async def guarded(request: Request) -> Response:
            check_url(request)
            role = required_role(request.method, path)
            context = context_of(request)
            check_same_site(request, context)
            account = await _by_session(context, request)
            if role is not PUBLIC:
                if account is None:
                    return to_login(request)
                await _admit(request, account, role)
                await enter(request, account, needed_permission(request.method, path, role))
            return await handler(request)

        return guarded


def to_login(request: Request) -> RedirectResponse:
    """Return the way to the login page, and back to where a GET was going."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    query = urlencode({"next": wanted}) if request.method == "GET" and wanted != "/" else ""
    return RedirectResponse(f"/login?{query}" if query else "/login", 303)


def check_same_site(request: Request, context: ApiContext) -> None:
    """Raise HTTPException 403 for a form that another site's page sent."""
    if request.method == "GET":
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        is_ours = site in _SAME_SITE
    elif origin is not None:
        known = (request.headers.get("Host", ""), urlsplit(context.settings.api.url).netloc)
        is_ours = urlsplit(origin).netloc in known
    else:
        is_ours = True
    if not is_ours:
        raise HTTPException(403, "This form was sent by a page of another site.")


async def _by_session(context: ApiContext, request: Request) -> Account | None:
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        return None
    try:
        session = await context.sessions.find(cookie)
    except Unauthorised:
        return None
    request.state.account = session.account
    request.state.csrf_token = session.csrf_token
    return session.account


async def _admit(request: Request, account: Account, role: AccountRole) -> None:
    allowed(account, role)
    if request.method == "POST":
        token = (await request.form()).get(CSRF_FIELD)
        expected: str = request.state.csrf_token
        if not isinstance(token, str) or not hmac.compare_digest(token.encode(), expected.encode()):
            raise HTTPException(
                403, "The form is not of this session, or too old: go back, reload the page, try again."
            )
