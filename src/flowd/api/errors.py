"""Errors as HTTP answers, in Airflow's shapes: the message under `detail`."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from flowd.api.dashboard.pages import Page, error_page, is_page
from flowd.api.login import TooManyAttempts
from flowd.api.storable import is_storable
from flowd.domain.errors import (
    Conflict,
    FlowdError,
    IllegalTransition,
    InvalidInput,
    NotFound,
    Unauthorised,
    Unavailable,
)

RETRY_AFTER_SECONDS = 5
UNIQUE = "Unique constraint violation"
"""The reason by which Airflow's clients know that something exists already."""

_STATUS: dict[type[FlowdError], int] = {
    NotFound: 404,
    Conflict: 409,
    IllegalTransition: 409,
    InvalidInput: 400,
    Unauthorised: 403,
    Unavailable: 503,
    TooManyAttempts: 429,
}


def install(app: FastAPI) -> None:
    """Give `app` its answers to errors."""
    app.add_exception_handler(FlowdError, _on_flowd_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)


def invalid(
    location: tuple[str, ...], message: str, found: object, kind: str = "value_error"
) -> RequestValidationError:
    """Return the error for one wrong value, in the shape of those that FastAPI finds itself (422)."""
    return RequestValidationError([{"type": kind, "loc": location, "msg": message, "input": found}])


def status_of(error: FlowdError) -> int:
    """Return the status that this error is answered with."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


async def _on_flowd_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, FlowdError)
    status = status_of(error)
    if is_page(request):
        return error_page(request, Page(status=status, detail=str(error)))
    return JSONResponse({"detail": _detail(request, error)}, status, headers=_headers(error))


def _detail(request: Request, error: FlowdError) -> Any:
    if not isinstance(error, Conflict):
        return str(error)
    reason = UNIQUE if request.method == "POST" else "Conflict"
    return {"reason": reason, "statement": "hidden", "orig_error": str(error), "message": str(error)}


def _headers(error: FlowdError) -> dict[str, str]:
    match error:
        case TooManyAttempts(retry_after_seconds=seconds):
            return {"Retry-After": str(max(1, round(seconds)))}
        case Unavailable():
            return {"Retry-After": str(RETRY_AFTER_SECONDS)}
        case _:
            return {}


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if is_page(request):
        return error_page(request, Page(status=422, detail="The form is not filled in as wanted."))
    found = [
        {key: _shown(value) if key == "input" else value for key, value in one.items() if key not in ("url", "ctx")}
        for one in error.errors()
    ]
    return JSONResponse({"detail": jsonable_encoder(found)}, 422)


def _shown(found: Any) -> Any:
    # Halves of surrogate pairs cannot be written as UTF-8, so not even in an error.
    return found if is_storable(found) else None


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if is_page(request):
        return error_page(request, Page(status=error.status_code, detail=str(error.detail)))
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)
