"""ChildConnectionTester: each connection is tested in a process that is bounded and knows of nothing else."""

import asyncio
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flowd.db.secrets_store import StoredConnection
from flowd.domain.errors import Unavailable
from flowd.roles.connection_tester import MOST_AT_ONCE, ChildConnectionTester
from tests.support.http_service import HttpService, an_http_service
from tests.support.services import PostgresServer
from tests.support.smtp_server import a_mail_server

DRIVERS = Path(__file__).parents[1] / "support" / "drivers"


@pytest.fixture
def service() -> Iterator[HttpService]:
    with an_http_service() as found:
        yield found


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def a_tester(
    folder: Path, environ: Mapping[str, str] | None = None, *, timeout_seconds: float = 15.0
) -> ChildConnectionTester:
    return ChildConnectionTester({**os.environ, **(environ or {})}, folder, timeout_seconds=timeout_seconds)


async def test_a_service_is_asked_with_the_connections_credentials(service: HttpService, tmp_path: Path) -> None:
    connection = StoredConnection(
        conn_id="api", conn_type="http", host="127.0.0.1", port=service.port, login="me", password="password"
    )

    tested = await a_tester(tmp_path).test(connection)

    assert (tested.is_ok, tested.message) == (True, "GET was answered 200 OK")
    assert service.asked[0].headers["authorization"].startswith("Basic ")
    assert os.listdir(tmp_path) == [], "what it printed is gone"


async def test_a_mail_server_is_logged_in_to(tmp_path: Path) -> None:
    with a_mail_server() as mailbox:
        extra = '{"disable_ssl": true, "disable_tls": true}'
        connection = StoredConnection(
            conn_id="post",
            conn_type="smtp",
            host="127.0.0.1",
            port=mailbox.port,
            login="me",
            password="password",
            extra=extra,
        )
        tested = await a_tester(tmp_path).test(connection)

    assert tested.is_ok and mailbox.logins == [("me", "password")]


async def test_a_postgresql_server_is_asked(tmp_path: Path) -> None:
    parts = urlsplit(PostgresServer.from_environment().url)
    path = os.pathsep.join([str(DRIVERS), *filter(None, [os.environ.get("PYTHONPATH")])])
    connection = StoredConnection(
        conn_id="shop",
        conn_type="postgres",
        host=parts.hostname or "",
        port=parts.port,
        login=parts.username or "",
        password=parts.password or "",
        schema=parts.path.lstrip("/"),
    )
    lost = replace(connection, schema="no_such_database")

    with_driver, without = a_tester(tmp_path, {"PYTHONPATH": path}), a_tester(tmp_path)

    assert (await with_driver.test(connection)).message == "the database answered"
    assert (await with_driver.test(lost)).message == 'database "no_such_database" does not exist'
    assert "install one of psycopg" in (await without.test(connection)).message


async def test_no_secret_of_the_connection_is_in_the_message(tmp_path: Path) -> None:
    connection = StoredConnection(conn_id="odd", conn_type="WORD-1", password="WORD-1", extra='{"api_key": "KEY-1"}')
    dumb = replace(connection, conn_type="http", host="http://KEY-1:WORD-1")

    told, failed = await a_tester(tmp_path).test(connection), await a_tester(tmp_path).test(dumb)

    assert told.message.startswith("there is no test for connections of type '***'")
    assert not failed.is_ok and "KEY-1" not in failed.message and "WORD-1" not in failed.message


async def test_what_the_environment_says_of_this_or_another_connection_is_not_known(
    service: HttpService, tmp_path: Path
) -> None:
    env = {"AIRFLOW_CONN_API": "http://127.0.0.1:1", "AIRFLOW_VAR_X": "1", "FLOWD__SECURITY__SECRET_KEY": "s"}
    connection = StoredConnection(conn_id="api", conn_type="http", host="127.0.0.1", port=service.port)

    assert (await a_tester(tmp_path, env).test(connection)).is_ok


async def test_a_type_that_nobody_knows_is_said(tmp_path: Path) -> None:
    tested = await a_tester(tmp_path).test(StoredConnection(conn_id="p", conn_type="pigeon"))

    assert not tested.is_ok and "there is no test for connections of type 'pigeon'" in tested.message


async def test_whoever_says_nothing_is_waited_for_only_so_long(silent: int, tmp_path: Path) -> None:
    connection = StoredConnection(conn_id="api", conn_type="http", host="127.0.0.1", port=silent)

    tested = await a_tester(tmp_path, timeout_seconds=2.0).test(connection)

    assert (tested.is_ok, tested.message) == (False, "it was not over after 2 seconds")


async def test_an_answer_without_an_end_takes_no_more_memory_than_it_may(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = StoredConnection(conn_id="api", conn_type="http", host="127.0.0.1", port=listener.getsockname()[1])
        sending = asyncio.create_task(asyncio.to_thread(_flood, listener))
        bounded = ChildConnectionTester(os.environ, tmp_path, memory_bytes=400 * 1024**2)
        tested = await bounded.test(connection)
        await sending

    assert not tested.is_ok
    assert "takes more memory than a test may" in tested.message or "bytes of memory" in tested.message


async def test_more_than_so_many_at_once_are_refused(silent: int, tmp_path: Path) -> None:
    connection = StoredConnection(conn_id="api", conn_type="http", host="127.0.0.1", port=silent)
    one = a_tester(tmp_path, timeout_seconds=3.0)

    async with asyncio.TaskGroup() as group:
        running = [group.create_task(one.test(connection)) for _ in range(MOST_AT_ONCE)]
        refused = group.create_task(_refusal(one, connection))

    assert "try again in a few seconds" in refused.result()
    assert {task.result().is_ok for task in running} == {False}
    assert not (await one.test(StoredConnection(conn_id="p", conn_type="pigeon"))).is_ok, "there is room again"


async def _refusal(one: ChildConnectionTester, connection: StoredConnection) -> str:
    with pytest.raises(Unavailable) as refused:
        await one.test(connection)
    return str(refused.value)


def _flood(listener: socket.socket) -> None:
    peer, _ = listener.accept()
    with peer:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        try:
            while True:
                peer.sendall(bytes(1024 * 1024))
        except OSError:
            return
