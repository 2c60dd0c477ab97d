"""BodyLimit: no request makes this process hold more than a mebibyte of its body, but what is known to be larger."""

import re
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 1024 * 1024


class BodyLimit:
    """ASGI middleware: a longer body is answered 413, at once where its length is told, else when it gets too long."""

    def __init__(self, app: ASGIApp, larger: Mapping[re.Pattern[str], int]) -> None:
        """`larger` are the bytes that are accepted at other paths, whose routes do not read them before the guard."""
        self._app = app
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = next((most for path, most in self._larger.items() if path.fullmatch(scope["path"])), BODY_BYTES)
        length = Headers(scope=scope).get("Content-Length", "")
        if length.isdigit() and int(length) > most:
            await JSONResponse({"detail": too_large(most)}, 413)(scope, receive, send)
            return
        received_bytes = 0

        async def receive_limited() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > most:
                # FastAPI lets an HTTPException through where it takes any other error in a body for bad JSON.
                raise HTTPException(413, too_large(most))
            return message

        await self._app(scope, receive_limited, send)


def too_large(most: int) -> str:
    """Return what is said of a body of more than so many bytes."""
    return f"the body is longer than {most} bytes, which is the most that is accepted"
