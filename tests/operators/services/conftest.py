"""Connections to real servers on loopback, given by the environment."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowd.sdk.connection import Connection
from tests.support.http_service import HttpService, an_http_service
from tests.support.smtp_server import Mailbox, a_mail_server

Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Make a connection by its id and fields."""

    def make(conn_id: str, **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", Connection(**fields).as_json())

    return make


@pytest.fixture
def mailbox(connect: Connect) -> Iterator[Mailbox]:
    """What the server of `smtp_default` is given."""
    with a_mail_server() as box:
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "flowd@example.com"}
        connect("smtp_default", conn_type="smtp", host="127.0.0.1", port=box.port, extra=extra)
        yield box


@pytest.fixture
def service(connect: Connect) -> Iterator[HttpService]:
    """The service of `http_default`."""
    with an_http_service() as found:
        extra = {"X-Team": "data"}
        connect(
            "http_default", conn_type="http", host="127.0.0.1", port=found.port, login="me", password="pw", extra=extra
        )
        yield found


@pytest.fixture
def database(connect: Connect, tmp_path: Path) -> Path:
    """The file of connection `db`, with a table of three rows."""
    path = tmp_path / "db.sqlite"
    connect("db", conn_type="sqlite", host=str(path))
    return path
