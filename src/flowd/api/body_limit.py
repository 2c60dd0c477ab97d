"""BodyLimit: no request makes this process hold more than a mebibyte of its body."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 1024 * 1024
TOO_LARGE = f"the body is longer than {BODY_BYTES} bytes, which is the most that is accepted"


class BodyLimit:
    """ASGI middleware: a longer body is answered 413, at once where its length is told, else when it gets too long."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("Content-Length", "")
        if length.isdigit() and int(length) > BODY_BYTES:
            await JSONResponse({"detail": TOO_LARGE}, 413)(scope, receive, send)
            return
        received_bytes = 0

        async def receive_limited() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > BODY_BYTES:
                # FastAPI lets an HTTPException through where it takes any other error in a body for bad JSON.
                raise HTTPException(413, TOO_LARGE)
            return message

        await self._app(scope, receive_limited, send)
