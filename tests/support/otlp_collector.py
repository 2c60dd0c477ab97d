"""OtlpCollector: takes spans over OTLP/HTTP on loopback, as an OpenTelemetry collector does."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span as it was delivered; ids as hexadecimal digits, `parent` "" for a root."""

    name: str
    trace: str
    id: str
    parent: str
    seconds: float
    is_error: bool
    message: str
    attributes: dict[str, Any]
    resource: dict[str, Any]


@dataclass(slots=True)
class OtlpCollector:
    """`keys` are the values of the header x-key that deliveries had."""

    url: str
    spans: list[Span] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)

    def named(self, name: str) -> list[Span]:
        """The spans with this name."""
        return [span for span in self.spans if span.name == name]


@contextmanager
def an_otlp_collector() -> Iterator[OtlpCollector]:
    """A collector for the length of the block."""
    collector = OtlpCollector("")
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(collector)) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _handler_of(collector: OtlpCollector) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.keys.add(self.headers.get("x-key"))
            if self.path == "/v1/traces":
                collector.spans += _spans(ExportTraceServiceRequest.FromString(body))
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _spans(request: Any) -> Iterator[Span]:
    for group in request.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Span(
                    name=span.name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                    is_error=span.status.code == 2,
                    message=span.status.message,
                    attributes=_values(span.attributes),
                    resource=_values(group.resource.attributes),
                )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
