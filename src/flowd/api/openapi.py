"""The OpenAPI document: what FastAPI finds in the routes, and the answers that all of them share."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import Field

from flowd.api.access import PUBLIC, required_role
from flowd.api.airflow2.route import Version1Route
from flowd.api.guard import ApiRoute
from flowd.api.schemas.base import Shape

Responses = dict[int | str, dict[str, Any]]

BEARER, BASIC = "bearer", "basic"
_REFERENCE = "#/components/schemas/"


class ErrorResponse(Shape):
    """Why not."""

    detail: str


class ConflictDetail(Shape):
    """What exists already, or was changed meanwhile."""

    reason: str
    statement: Literal["hidden"]
    orig_error: str
    message: str


class ConflictResponse(Shape):
    """Why not now, or not again."""

    detail: str | ConflictDetail


class InvalidValue(Shape):
    """A value that is not as wanted: where it is, and what was found."""

    type: str
    loc: list[str | int]
    msg: str
    input: Any = None


class InvalidResponse(Shape):
    """What of the request is not as wanted."""

    detail: list[InvalidValue] = Field(min_length=1)


class ProblemResponse(Shape):
    """Why not, as Airflow 2 says it."""

    detail: str
    status: int
    title: str
    type: str


TOO_MANY: Responses = {
    429: {"model": ErrorResponse, "description": "Too many failed logins; Retry-After says when to go on"}
}


def also_as(*media_types: str) -> Responses:
    """Return the description of an answer that is text of these types as well, as `Accept` asks."""
    return {200: {"content": {media_type: {"schema": {"type": "string"}} for media_type in media_types}}}


class DescribedApp(FastAPI):
    """The app, with a document that tells every answer a client can get."""

    def openapi(self) -> dict[str, Any]:
        """Return the document; made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            components = document["components"]
            for shape in (ErrorResponse, ConflictResponse, InvalidResponse, ProblemResponse):
                schema = shape.model_json_schema(mode="serialization", ref_template=_REFERENCE + "{model}")
                components["schemas"] |= schema.pop("$defs", {}) | {shape.__name__: schema}
            components["schemas"].pop("HTTPValidationError", None)
            components["schemas"].pop("ValidationError", None)
            components["securitySchemes"] = {
                BEARER: {"type": "http", "scheme": "bearer", "description": "An access token, or an API token"},
                BASIC: {"type": "http", "scheme": "basic", "description": "A user name and a password"},
            }
            for route in self.routes:
                if isinstance(route, ApiRoute) and route.include_in_schema:
                    _describe(document["paths"][route.path_format], route)
        assert self.openapi_schema is not None
        return self.openapi_schema


def _describe(operations: Mapping[str, dict[str, Any]], route: APIRoute) -> None:
    for method in route.methods or ():
        operation = operations[method.lower()]
        is_public = required_role(method, route.path) is PUBLIC
        shared = _shared(method, operation, is_public)
        # What a route says of itself stays; that it refuses bad input in general is said better here.
        own = {status: one for status, one in operation["responses"].items() if status != "422"}
        operation["responses"] = dict(sorted((shared | own).items()))
        operation["operationId"] = route.name
        operation["security"] = [] if is_public else [{BEARER: []}]
        if isinstance(route, Version1Route):
            _describe_as_airflow_2(operation)


def _describe_as_airflow_2(operation: dict[str, Any]) -> None:
    """Tell of a call of Airflow 2's that its errors are problem documents, and that it also takes a password."""
    problem = {"application/problem+json": {"schema": {"$ref": _REFERENCE + ProblemResponse.__name__}}}
    operation["responses"] = {
        status: one if int(status) < _FIRST_ERROR or status == _TOO_LARGE else {**one, "content": problem}
        for status, one in operation["responses"].items()
        if status != _INVALID
    }
    if operation["security"]:
        seconds = {"schema": {"type": "integer"}, "description": "Seconds", "required": True}
        slow = {"description": "Somebody guesses passwords", "headers": {"Retry-After": seconds}, "content": problem}
        operation["responses"]["429"] = slow
    operation["operationId"] = f"airflow_2_{operation['operationId']}"
    if operation["security"]:
        operation["security"] += [{BASIC: []}]


_FIRST_ERROR, _TOO_LARGE, _INVALID = 400, "413", "422"


def _shared(method: str, operation: Mapping[str, Any], is_public: bool) -> dict[str, Any]:
    parameters = operation.get("parameters", ())
    changes = method != "GET" and not is_public
    found = {"400": _error("The URL, or what it asks for, is not as wanted"), "503": _unavailable()}
    if not is_public:
        found["401"] = _error("No token was sent") | {"headers": {"WWW-Authenticate": _TEXT}}
        found["403"] = _error("The token is none of this cluster's, or its account may not do this")
    if changes or (parameters and not is_public):
        found["404"] = _error("What is named does not exist, or may not be seen")
    if changes:
        found["409"] = _answer("It exists already, or is in another state than wanted", ConflictResponse)
    if "requestBody" in operation:
        found["413"] = _error("The body is too long")
    if parameters or "requestBody" in operation:
        found["422"] = _answer("A value is of the wrong type", InvalidResponse)
    return found


_TEXT = {"schema": {"type": "string"}, "required": True}


def _unavailable() -> dict[str, Any]:
    seconds = {"schema": {"type": "integer"}, "description": "Seconds"}
    return _error("The metastore is away") | {"headers": {"Retry-After": seconds}}


def _error(description: str) -> dict[str, Any]:
    return _answer(description, ErrorResponse)


def _answer(description: str, shape: type[Shape]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _REFERENCE + shape.__name__}}}
    return {"description": description, "content": content}
