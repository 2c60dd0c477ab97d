"""Api: the REST API as a command sees it, and nothing of where it is."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from flowd.cli.client.failures import refusal, silence
from flowd.cli.client.target import Server
from flowd.cli.swift_import import swift_import
from flowd.domain.errors import InvalidInput

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 300.0
"""Clearing a hundred thousand task instances takes a while."""

PAGE = 100
EVERYTHING = "~"

Query = Mapping[str, Any]
Json = dict[str, Any]


@contextmanager
def open_api(server: Server | None) -> "Iterator[Api]":
    """Open the API of a server, or without one that of this machine's settings, all of it in this process."""
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    if server is not None:
        headers = {"Authorization": f"Bearer {server.token}"} if server.token else {}
        with httpx.Client(base_url=server.url, headers=headers, timeout=timeout) as client:
            yield Api(client, server)
        return
    with swift_import():
        from flowd.cli.client.app_transport import AppTransport
        from flowd.cli.client.local_app import local_app

    with httpx.Client(base_url="http://local", transport=AppTransport(local_app), trust_env=False) as client:
        yield Api(client, None)


class Api:
    """Calls operations, named as the table of routes has them: `GET /api/v2/dags/{dag_id}`.

    What the path names is given by those names. Every method raises the FlowdError that the answer means.
    """

    def __init__(self, client: httpx.Client, server: Server | None) -> None:
        self._client = client
        self.server = server

    def call(
        self,
        operation: str,
        *,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **names: Any,
    ) -> Any:
        """Return the JSON of the answer, None for an empty one; a body of bytes is sent as it is, any other as JSON."""
        with self._answer(operation, query, body, headers, names) as answer:
            answer.read()
            return answer.json() if answer.content else None

    def listed(
        self, operation: str, key: str, *, limit: int = 0, query: Query | None = None, **names: Any
    ) -> list[Json]:
        """Return the first `limit` entries of a list, or all for 0, which are under `key` in each page."""
        return list(self._paged(operation, key, limit, query or {}, names))

    def lines(self, operation: str, *, query: Query | None = None, **names: Any) -> Iterator[Json]:
        """Iterate over an answer in lines of JSON, each as soon as it comes."""
        with self._answer(operation, query, None, {"Accept": "application/x-ndjson"}, names) as answer:
            for line in answer.iter_lines():
                if line:
                    yield json.loads(line)

    def _paged(self, operation: str, key: str, limit: int, query: Query, names: Mapping[str, Any]) -> Iterator[Json]:
        found, more = 0, dict(query)
        while True:
            wanted = min(PAGE, limit - found) if limit else PAGE
            page = self.call(operation, query={**more, "limit": wanted}, **names)
            yield from page[key]
            found += len(page[key])
            if limit and found >= limit:
                return
            # By a cursor where the list has them: behind it, page 1,000 costs what page 1 costs.
            if cursor := page.get("next_cursor"):
                more["cursor"] = cursor
            elif "cursor" in more or len(page[key]) < wanted:
                return
            else:
                more["offset"] = found

    @contextmanager
    def _answer(
        self,
        operation: str,
        query: Query | None,
        body: Any,
        headers: Mapping[str, str] | None,
        names: Mapping[str, Any],
    ) -> Iterator[httpx.Response]:
        method, _, path = operation.partition(" ")
        given = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            content, document = (body, None) if isinstance(body, bytes) else (None, body)
            with self._client.stream(
                *(method, _filled(path, names)), params=_spelt(given), content=content, json=document, headers=headers
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    raise refusal(answer, self.server)
                yield answer
        except httpx.TransportError as error:
            if self.server is None:
                raise
            raise silence(error, self.server) from error


def _filled(path: str, names: Mapping[str, Any]) -> str:
    for name, value in names.items():
        if value == "":
            # As of a variable of a script that is not set: without it the path is another's.
            raise InvalidInput(f"{name.upper()} is empty; give the name of one")
        text = quote(str(value), safe="~")
        path = path.replace(f"{{{name}}}", text).replace(f"{{{name}:path}}", text)
    return path


def _spelt(query: Query) -> dict[str, Any]:
    def spelt(value: object) -> object:
        return str(value).lower() if isinstance(value, bool) else value

    return {
        name: [spelt(one) for one in value] if isinstance(value, list | tuple) else spelt(value)
        for name, value in query.items()
    }
