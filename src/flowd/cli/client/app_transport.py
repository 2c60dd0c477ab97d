"""AppTransport: a client's requests to an ASGI app in this process, whose answers come piece by piece."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack
from types import TracebackType
from typing import Any, Self

import anyio
import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

App = Callable[..., Any]


class AppTransport(httpx.BaseTransport):
    """Opens the app with the context and closes it at its end. It lives in an event loop, in a thread of its own."""

    def __init__(self, open_app: Callable[[], AbstractAsyncContextManager[App]]) -> None:
        self._open_app = open_app
        self._opened = ExitStack()
        self._portal: BlockingPortal
        self._app: App

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._portal = opening.enter_context(start_blocking_portal())
            self._app = opening.enter_context(self._portal.wrap_async_context_manager(self._open_app()))
            self._opened = opening.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._opened.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer once the app has begun it; the rest is read as it comes."""
        answer = _Answer(self._portal, self._app, request)
        return httpx.Response(answer.status, headers=answer.headers, stream=answer)


class _Answer(httpx.SyncByteStream):
    """One request that the app is at work on. The app waits until what it has sent is read, and ends with `close`."""

    def __init__(self, portal: BlockingPortal, app: App, request: httpx.Request) -> None:
        self._portal = portal
        self._body: bytes | None = request.read()
        self._sent, self._received = portal.call(anyio.create_memory_object_stream[dict[str, Any]], 0)
        self._future = portal.start_task_soon(self._serve, app, _scope_of(request))
        try:
            start = self._next()
        except BaseException:
            self.close()
            raise
        if start is None:
            self._future.result()
            raise httpx.RemoteProtocolError("the app ended without an answer", request=request)
        self.status: int = start["status"]
        self.headers: list[tuple[bytes, bytes]] = list(start["headers"])

    def __iter__(self) -> Iterator[bytes]:
        while (message := self._next()) is not None:
            yield message.get("body", b"")
            if not message.get("more_body", False):
                return

    def close(self) -> None:
        """End the request, wherever it is."""
        self._future.cancel()
        self._portal.call(self._received.aclose)

    def _next(self) -> dict[str, Any] | None:
        try:
            message: dict[str, Any] = self._portal.call(self._received.receive)
            return message
        except anyio.EndOfStream:
            return None

    async def _serve(self, app: App, scope: dict[str, Any]) -> None:
        async with self._sent:
            await app(scope, self._receive, self._sent.send)

    async def _receive(self) -> dict[str, Any]:
        if self._body is None:
            # Everything was said: what else there could be is that the client has gone, which `close` tells.
            await anyio.sleep_forever()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body or b"", "more_body": False}


def _scope_of(request: httpx.Request) -> dict[str, Any]:
    path, _, query = request.url.raw_path.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "server": (request.url.host, request.url.port),
        "client": None,
    }
