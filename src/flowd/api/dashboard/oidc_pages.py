"""Logging in through an OpenID Connect provider: the way there, and the way back."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from flowd.api.context import ApiContext, Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.local_path import local_path
from flowd.api.dashboard.login_pages import login_form, with_session
from flowd.api.errors import status_of
from flowd.api.login import FAILED, LOGIN
from flowd.api.oidc.intent import COOKIE, LIFETIME
from flowd.api.visit import visit_of
from flowd.db.login_log import NOBODY
from flowd.domain.errors import FlowdError, NotFound, Unauthorised

router = APIRouter(prefix="/login/oidc", route_class=PageRoute, include_in_schema=False)

BY = "OpenID Connect"


@router.get("")
async def begin(request: Request, context: Context, next: str = "/") -> Response:
    """Send the browser to the provider."""
    if context.oidc is None:
        raise NotFound("no OpenID Connect provider is set up; FLOWD__OIDC__ISSUER names one")
    try:
        url, kept = await context.oidc.begin(local_path(next))
    except FlowdError as error:
        return login_form(request, context, next=next, status=status_of(error), problem=str(error))
    response = RedirectResponse(url, 303)
    response.set_cookie(
        COOKIE,
        kept,
        max_age=int(LIFETIME.total_seconds()),
        path=router.prefix,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https" or context.settings.api.url.startswith("https://"),
    )
    return response


@router.get("/callback")
async def end(
    request: Request,
    context: Context,
    code: str = "",
    state: str = "",
    error: str = "",
    error_description: str = "",
    iss: str = "",
) -> Response:
    """Begin a session for whom the provider vouches."""
    try:
        answer = await _let_in(request, context, code, state, (error, error_description), iss)
    except FlowdError as problem:
        await context.login_log.failed(visit_of(request).actor(FAILED, NOBODY, BY))
        status = 401 if isinstance(problem, Unauthorised) else status_of(problem)
        answer = login_form(request, context, next="/", status=status, problem=str(problem))
    answer.delete_cookie(COOKIE, path=router.prefix)
    return answer


async def _let_in(
    request: Request, context: ApiContext, code: str, state: str, refused: tuple[str, str], iss: str
) -> Response:
    if context.oidc is None:
        raise NotFound("no OpenID Connect provider is set up; FLOWD__OIDC__ISSUER names one")
    context.oidc.check_answer(refused, iss)
    visit = visit_of(request)
    account, next = await context.oidc.end(code, state, request.cookies.get(COOKIE), visit)
    acting = context.acting_for(visit.actor(LOGIN, account.username, BY))
    return await with_session(request, acting, account, RedirectResponse(local_path(next), 303))
