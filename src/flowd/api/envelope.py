"""Envelope: what every answer has, whatever route made it: its request's id, strict headers, and no traceback."""

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowd.api.metrics import ApiMetrics

log = structlog.get_logger(__name__)

REQUEST_ID = "X-Request-ID"
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_GIVEN_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Envelope:
    """ASGI middleware around all routes."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; an unknown exception is logged once and answered 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope[REQUEST_ID] = _request_id(scope)
        began = time.monotonic()
        status: int | None = None

        async def send_enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                self._metrics.answered(scope["method"], _route(scope), message["status"], time.monotonic() - began)
            await send(message)

        try:
            await self._app(scope, receive, send_enveloped)
        except Exception:
            log.exception("request failed", request_id=request_id, method=scope["method"], path=scope["path"])
            if status is not None:
                raise
            detail = f"flowd failed to answer; its log tells why under request id {request_id}"
            await JSONResponse({"detail": detail, "request_id": request_id}, 500)(scope, receive, send_enveloped)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)


def _route(scope: Scope) -> str | None:
    path: str | None = getattr(scope.get("route"), "path", None)
    return path
