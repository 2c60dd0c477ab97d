"""Errors as HTTP answers, in Airflow's shapes: the message under `detail`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from flowd.api.dashboard.pages import Page, error_page, is_page
from flowd.api.login import TooManyAttempts
from flowd.api.storable import is_storable
from flowd.domain.errors import (
    BackfillConflict,
    Conflict,
    FlowdError,
    IllegalTransition,
    InvalidBackfill,
    InvalidInput,
    NotFound,
    Unauthorised,
    Unavailable,
)
from flowd.security.vault import Sealed

RETRY_AFTER_SECONDS = 5
PASSWORD = "password"
UNIQUE = "Unique constraint violation"
"""The reason by which Airflow's clients know that something exists already."""

_STATUS: dict[type[FlowdError], int] = {
    NotFound: 404,
    Conflict: 409,
    IllegalTransition: 409,
    InvalidBackfill: 422,
    InvalidInput: 400,
    Unauthorised: 403,
    Sealed: 409,
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
        return error_page(request, Page(status=status, detail=str(error)), headers_of(error))
    if _is_airflow_2(request):
        return _problem(str(error), status, headers_of(error))
    return JSONResponse({"detail": _detail(request, error)}, status, headers=headers_of(error))


def _detail(request: Request, error: FlowdError) -> Any:
    if not isinstance(error, Conflict) or isinstance(error, BackfillConflict):
        return str(error)
    reason = UNIQUE if request.method == "POST" else "Conflict"
    return {"reason": reason, "statement": "hidden", "orig_error": str(error), "message": str(error)}


def headers_of(error: FlowdError) -> dict[str, str]:
    """Return the headers that go with an error: when to come again, where that is known."""
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
        {
            key: _shown(value, one["loc"]) if key == "input" else value
            for key, value in one.items()
            if key not in ("url", "ctx")
        }
        for one in error.errors()
    ]
    if _is_airflow_2(request):
        told = "; ".join(f"{'.'.join(map(str, one['loc'][1:])) or 'body'}: {one['msg']}" for one in found)
        return _problem(told, 400)
    return JSONResponse({"detail": jsonable_encoder(found)}, 422)


def _shown(found: Any, place: Sequence[Any]) -> Any:
    # Halves of surrogate pairs cannot be written as UTF-8, so not even in an error; and passwords are shown nowhere.
    if not is_storable(found) or PASSWORD in place:
        return None
    if isinstance(found, dict):
        return {name: value for name, value in found.items() if name != PASSWORD}
    return found


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    if is_page(request):
        return error_page(request, Page(status=error.status_code, detail=str(error.detail)), headers)
    if _is_airflow_2(request):
        return _problem(str(error.detail), error.status_code, headers)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=headers)


def _allowed(request: Request) -> str:
    """Every method that some route has for this path: each of ours has one, and knows only of that."""
    matching = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted({method for route in matching for method in getattr(route, "methods", None) or ()}))


def _is_airflow_2(request: Request) -> bool:
    return request.url.path.startswith("/api/v1/")


def _problem(detail: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document, as Airflow 2's clients read them."""
    body = {"detail": detail, "status": status, "title": HTTPStatus(status).phrase, "type": "about:blank"}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")
