"""SqsGate: stands between a client and a double of SQS, counts what is said, and answers in its place where told to."""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
from aiohttp import web

Fails = Callable[[dict[str, Any]], bool]


@dataclass(slots=True)
class _Refusal:
    code: str
    status: int
    times: float


class SqsGate:
    """Listens on a port of its own on loopback. Operations are named as SQS does: `SendMessageBatch`.

    - `refuse(operation, code)` answers every such call with that error, until `allow(operation)`.
    - `fail_entries(operation, fails)` passes on only the entries of a batch that `fails` does not pick, and reports
      the others as failed, as SQS does.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._refused: dict[str, _Refusal] = {}
        self._failing: dict[str, Fails] = {}
        self._changed = asyncio.Condition()
        self.said: list[tuple[str, dict[str, Any]]] = []
        """Every call so far: the operation and its parameters."""
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=4 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._client = httpx.AsyncClient(base_url=self._upstream, timeout=60)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._client.aclose()

    def refuse(self, operation: str, code: str, *, status: int = 403, times: float = math.inf) -> None:
        """Answer `operation` with the error `code` from now on, so many times."""
        self._refused[operation] = _Refusal(code, status, times)

    def allow(self, operation: str) -> None:
        """Pass `operation` on again."""
        self._refused.pop(operation, None)

    def fail_entries(self, operation: str, fails: Fails) -> None:
        """Report the entries that `fails` picks as failed."""
        self._failing[operation] = fails

    @property
    def counts(self) -> Counter[str]:
        """How often each operation was called."""
        return Counter(operation for operation, _ in self.said)

    async def wait_until(self, is_so: Callable[[Self], bool]) -> None:
        """Wait until `is_so` holds of this gate; looked at with every call."""
        async with self._changed:
            await self._changed.wait_for(lambda: is_so(self))

    async def _serve(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        parameters = json.loads(await request.read())
        self.said.append((operation, parameters))
        async with self._changed:
            self._changed.notify_all()
        if operation in self._refused:
            refusal = self._refused[operation]
            refusal.times -= 1
            if refusal.times <= 0:
                del self._refused[operation]
            return _json({"__type": f"com.amazonaws.sqs#{refusal.code}", "message": "not today"}, refusal.status)
        fails = self._failing.get(operation)
        failed = [entry for entry in parameters.get("Entries", ()) if fails is not None and fails(entry)]
        if "Entries" in parameters:
            parameters["Entries"] = [entry for entry in parameters["Entries"] if entry not in failed]
        if failed and not parameters["Entries"]:
            return _json({"Successful": [], "Failed": _failures(failed)})
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _PER_HOP}
        answer = await self._client.post(request.path, json=parameters, headers=headers)
        document = answer.json() if answer.content else {}
        if failed:
            document["Failed"] = [*document.get("Failed", ()), *_failures(failed)]
        extra = {name: answer.headers[name] for name in ("x-amzn-query-error",) if name in answer.headers}
        return _json(document, answer.status_code, extra)


_PER_HOP = ("host", "content-length", "accept-encoding", "connection", "expect")


def _failures(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"Id": entry["Id"], "Code": "InternalError", "Message": "not today", "SenderFault": False} for entry in entries
    ]


def _json(document: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        text=json.dumps(document), status=status, headers=headers, content_type="application/x-amz-json-1.0"
    )
