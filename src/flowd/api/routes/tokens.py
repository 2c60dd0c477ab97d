"""Logging in: access tokens for clients."""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from flowd.api.context import Context
from flowd.api.errors import invalid
from flowd.api.guard import ApiRoute
from flowd.api.login import LOGIN, PASSWORD
from flowd.api.openapi import TOO_MANY, ErrorResponse
from flowd.api.schemas.monitor import TokenResponse
from flowd.api.visit import visit_of
from flowd.domain.errors import Unauthorised
from flowd.security.passwords import LONGEST_PASSWORD

JSON = "application/json"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

router = APIRouter(route_class=ApiRoute, tags=["Login"])


class Credentials(BaseModel):
    """A user name and a password."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    username: str = Field(min_length=1, max_length=250)
    password: str = Field(min_length=1, max_length=LONGEST_PASSWORD)


async def read_credentials(request: Request) -> Credentials:
    """Return what the request's JSON or form says; raise RequestValidationError (422), without showing it."""
    content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        given: Any = dict(await request.form()) if content_type in FORMS else await request.json()
    except (ValueError, UnicodeDecodeError) as error:
        raise invalid(("body",), "JSON decode error", None, "json_invalid") from error
    try:
        return Credentials.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise invalid(("body", *map(str, first["loc"])), first["msg"], None, first["type"]) from error


@router.post(
    "/auth/token",
    status_code=201,
    responses={
        401: {"model": ErrorResponse, "description": "The user name or the password is wrong"},
        **TOO_MANY,
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {media_type: {"schema": Credentials.model_json_schema()} for media_type in (JSON, *FORMS)},
        }
    },
)
async def create_token(request: Request, context: Context) -> TokenResponse:
    """Return an access token for a user name and a password, given as JSON or as a form."""
    credentials, visit = await read_credentials(request), visit_of(request)
    try:
        account = await context.login.by_password(credentials.username, credentials.password, visit)
    except Unauthorised as error:
        raise HTTPException(401, "Invalid credentials") from error
    now = context.backends.clock.now()
    await context.login_log.succeeded(visit.actor(LOGIN, account.username, PASSWORD))
    token = context.tokens.issue(account.username, account.role, now, generation=account.generation)
    return TokenResponse(access_token=token)


@router.get("/api/v2/auth/login", include_in_schema=False)
async def login(next: str = "/") -> RedirectResponse:
    """Send a browser to the login page."""
    return RedirectResponse(f"/login?{urlencode({'next': next})}", 307)


@router.get("/api/v2/auth/logout", include_in_schema=False)
async def logout() -> RedirectResponse:
    """Send a browser to the login page, which offers to log out."""
    return RedirectResponse("/login", 307)
