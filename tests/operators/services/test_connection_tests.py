"""Whether what a connection names answers: with real servers, and by the type of the connection."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from flowd.operators.services.connection_test import answer_of
from flowd.sdk.connection import Connection
from flowd.sdk.hook import BaseHook
from flowd.sdk.provider_packages import hook_classes
from tests.operators.services.conftest import Connect
from tests.support.http_service import Asked, HttpService
from tests.support.smtp_server import Mailbox


class PigeonHook(BaseHook):
    """The hook of an installed provider."""

    conn_name_attr = "pigeon_conn_id"

    def __init__(self, pigeon_conn_id: str) -> None:
        super().__init__()
        self._id = pigeon_conn_id

    def test_connection(self) -> Any:
        return 1, f"{self._id} is home"


class DumbHook(BaseHook):
    """One that has no test."""

    def __init__(self, conn_id: str) -> None:
        super().__init__()


def answer(conn_id: str) -> tuple[bool, str]:
    return answer_of(Connection.get(conn_id))


def test_a_service_answers_a_get_and_nothing_of_its_body_is_told(service: HttpService) -> None:
    service.answer = lambda _: (200, "a body")

    assert answer("http_default") == (True, "GET was answered 200 OK")
    (asked,) = service.asked
    assert (asked.method, asked.headers["x-team"]) == ("GET", "data") and "authorization" in asked.headers
    service.answer = lambda _: (403, "the secret of the service")
    assert answer("http_default") == (False, "GET was answered 403 Forbidden")


def test_a_redirect_is_an_answer_and_leads_nowhere(service: HttpService) -> None:
    def redirect(asked: Asked) -> tuple[int, str]:
        return 302, "elsewhere"

    service.answer = redirect

    assert answer("http_default") == (True, "GET was answered 302 Found")
    assert len(service.asked) == 1


def test_nobody_at_home_is_said(connect: Connect) -> None:
    connect("away", conn_type="http", host="127.0.0.1", port=1)

    is_ok, message = answer("away")

    assert not is_ok and message.startswith("GET over connection 'away' failed: ConnectError")


def test_a_mail_server_lets_log_in_and_is_sent_no_mail(mailbox: Mailbox, connect: Connect) -> None:
    assert answer("smtp_default") == (True, "the mail server answered")
    extra = {"disable_ssl": True, "disable_tls": True}
    connect("known", conn_type="smtp", host="127.0.0.1", port=mailbox.port, login="me", password="pw", extra=extra)

    assert answer("known") == (True, "the mail server answered and let it log in")
    assert mailbox.logins == [("me", "pw")] and mailbox.messages == []
    connect("away", conn_type="smtp", host="127.0.0.1", port=1, extra=extra)
    assert answer("away")[1].startswith("127.0.0.1:1 is no mail server to use: ")
    connect("bare", conn_type="smtp")
    assert answer("bare") == (False, "connection 'bare' has no host; give it that of a mail server")


def test_a_file_of_sqlite_is_read_and_never_made(database: Path, connect: Connect, tmp_path: Path) -> None:
    assert answer("db") == (False, "unable to open database file") and not database.exists()
    sqlite3.connect(database).execute("CREATE TABLE t (i INTEGER)").connection.close()

    assert answer("db") == (True, "the file is a database")
    other = tmp_path / "note.txt"
    other.write_text("no database at all, but as long as the header of one would be " * 20)
    connect("note", conn_type="sqlite", host=str(other))
    assert answer("note") == (False, "file is not a database")
    connect("nameless", conn_type="sqlite")
    assert answer("nameless")[1] == "connection 'nameless' names no file; give its path as the host"


def test_without_a_driver_a_database_says_which_it_wants(connect: Connect) -> None:
    connect("shop", conn_type="mysql", host="127.0.0.1")

    is_ok, message = answer("shop")

    assert not is_ok and "install one of pymysql, MySQLdb" in message


def test_the_hook_of_an_installed_provider_is_asked_and_what_has_none_says_so(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "flowd.operators.services.connection_test.hook_classes"
    known = {"pigeon": f"{__name__}.PigeonHook", "dumb": f"{__name__}.DumbHook"}
    monkeypatch.setattr(module, lambda: known)
    monkeypatch.setattr("flowd.sdk.connection.hook_classes", lambda: known)
    for kind in ("pigeon", "dumb", "smoke"):
        connect(kind, conn_type=kind)

    assert answer("pigeon") == (True, "pigeon is home")
    assert answer("dumb") == (False, "DumbHook, the hook for connections of type 'dumb', has no test")
    assert answer("smoke")[1].startswith(
        "there is no test for connections of type 'smoke'; there are some for dumb, http, https, mysql, pigeon,"
    )
    assert "pigeon" not in hook_classes()
