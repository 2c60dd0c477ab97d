"""The API's server: it answers, with a date, and ends as soon as it is told, however rarely it wakes up by itself."""

import asyncio
import socket
from pathlib import Path

import httpx
import pytest

from flowd.logs.reader import LogReader
from flowd.node import api_server
from flowd.node.api_server import ApiServer
from flowd.node.dag_code import library_of, make_bundle_parser, make_connection_tester
from flowd.node.readiness import Readiness
from flowd.secret_backends.lookup import metastore_alone
from flowd.settings.load import load_settings
from tests.support.ledger_fixtures import OpenSite


async def test_it_answers_with_a_date_and_ends_when_it_is_told_not_when_it_next_wakes_up(
    open_sqlite_site: OpenSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "TICK_SECONDS", 3600.0)
    settings = load_settings({"FLOWD_HOME": str(tmp_path)}, folder=tmp_path)
    backends = open_sqlite_site().backends
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bundles = make_bundle_parser(settings, library_of(settings, backends, metastore_alone()), {})
        tester = make_connection_tester(settings, {})
        server = ApiServer(settings, backends, Readiness(dict), bundles, tester, listener, LogReader())
        serving = asyncio.create_task(server.run())
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/livez")
        server.stop()
        await serving

    assert answer.status_code == 200
    assert answer.headers["date"].endswith("GMT")
