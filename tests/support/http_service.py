"""HttpService: an HTTP server on loopback that keeps what it was asked, and answers what it is told to."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass(slots=True)
class HttpService:
    """`answer` gets each request and returns status and body; JSON unless it is text."""

    answer: Callable[[Asked], tuple[int, Any]] = lambda _: (200, "ok")
    port: int = 0
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def an_http_service() -> Iterator[HttpService]:
    """A server for the length of the block."""
    service = HttpService()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(service)) as server:
        service.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def _handler_of(service: HttpService) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length).decode())
            service.asked.append(asked)
            status, body = service.answer(asked)
            octets = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
