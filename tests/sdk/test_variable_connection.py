"""Variable and Connection: the environment, the server, JSON and URIs."""

import json
from collections.abc import Iterator
from traceback import format_exception

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd import BaseHook, Connection, Variable
from flowd.sdk.exceptions import AirflowException, AirflowNotFoundException, VariableNotFound
from flowd.sdk.secret_values import redacted
from flowd.sdk.supervisor import supervised_by
from tests.support.task_server import TaskServer

text = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=8)


@pytest.fixture
def server() -> Iterator[TaskServer]:
    server = TaskServer()
    with supervised_by(server):
        yield server


def test_a_variable_is_written_read_and_removed(server: TaskServer) -> None:
    Variable.set("limits", {"rows": 3}, serialize_json=True)

    assert Variable.get("limits", deserialize_json=True) == {"rows": 3}
    assert (Variable.delete("limits"), Variable.delete("limits")) == (1, 0)
    assert Variable.setdefault("limits", [1], deserialize_json=True) == [1]
    assert Variable.get("limits", deserialize_json=True) == [1]


def test_a_missing_variable_is_its_default_or_an_error(server: TaskServer) -> None:
    assert Variable.get("absent", default_var=None) is None
    assert Variable.get("absent", default="x") == "x"
    with pytest.raises(VariableNotFound, match=r"^Variable 'absent' does not exist") as failure:
        Variable.get("absent")
    assert isinstance(failure.value, KeyError)


def test_the_environment_comes_first(server: TaskServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_BUCKET", "b")
    monkeypatch.setenv("AIRFLOW_CONN_DB", "postgresql://me:p%40ss@pg:5432/shop?sslmode=require")
    monkeypatch.setenv("AIRFLOW_CONN_API", '{"conn_type": "http", "host": "h", "extra": {"k": [1]}}')

    database, api = Connection.get("db"), BaseHook.get_connection("api")

    assert Variable.get("bucket") == "b"
    assert (database.conn_id, database.conn_type, database.password, database.port) == ("db", "postgres", "p@ss", 5432)
    assert (database.schema, database.extra_dejson) == ("shop", {"sslmode": "require"})
    assert (api.conn_type, api.host, api.extra_dejson) == ("http", "h", {"k": [1]})
    assert server.asked == []


def test_a_secret_backend_comes_before_the_environment_and_that_before_the_server(
    server: TaskServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "file")
    for name in ("AIRFLOW_VAR_BOTH", "AIRFLOW_VAR_OURS", "AIRFLOW_CONN_BOTH", "AIRFLOW_CONN_OURS"):
        monkeypatch.setenv(name, "http://environment/")
    server.variables = dict.fromkeys(("both", "ours", "theirs"), "server")
    server.connections = {"ours": {"conn_type": "ftp"}, "theirs": {"conn_type": "ftp"}}
    server.backend["both"] = "https://backend/"

    assert [Variable.get(key) for key in ("both", "ours", "theirs")] == [
        "https://backend/",
        "http://environment/",
        "server",
    ]
    assert [Connection.get(key).conn_type for key in ("both", "ours", "theirs")] == ["https", "http", "ftp"]


def test_what_a_secret_backend_holds_is_masked_whatever_its_name_is(
    server: TaskServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "file")
    server.backend = {"motto": "CANARY-motto", "rows": '{"first": "CANARY-one", "more": {"second": "CANARY-two"}}'}

    motto, rows = Variable.get("motto"), Variable.get("rows", deserialize_json=True)

    assert "CANARY" not in redacted(f"{motto} {rows['first']} {rows['more']['second']}")


@pytest.mark.parametrize("text", ["http://ada:CANARY@h:CANARY/", '{"conn_type": "http", CANARY', '{"port": "CANARY"}'])
def test_a_connection_that_cannot_be_read_is_named_and_not_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DB", text)

    with pytest.raises(AirflowException, match="Connection 'db' of a secret backend or the environment") as raised:
        Connection.get("db")

    assert "CANARY" not in "".join(format_exception(raised.value))


def test_a_missing_connection_says_how_to_make_it(server: TaskServer) -> None:
    with pytest.raises(AirflowNotFoundException, match=r"Connection 'db' does not exist: .* AIRFLOW_CONN_DB"):
        Connection.get("db")


def test_an_unknown_field_of_a_json_connection_is_named() -> None:
    with pytest.raises(AirflowException, match=r"unknown fields \['hots'\]"):
        Connection.from_json('{"hots": "h"}')


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Connection("db", "http", password="secret"))


@given(
    host=text.filter(lambda host: host is None or not host.isspace()),
    login=text,
    password=text,
    schema=text,
    port=st.none() | st.integers(1, 65535),
    extra=st.none() | st.dictionaries(st.text(max_size=4), st.text(max_size=4) | st.integers(), min_size=1, max_size=3),
)
def test_a_connection_survives_its_uri(
    host: str | None,
    login: str | None,
    password: str | None,
    schema: str | None,
    port: int | None,
    extra: dict[str, str | int] | None,
) -> None:
    before = Connection("c", "google_cloud", None, host, login, password, schema, port, extra)

    after = Connection("c", uri=before.get_uri())

    assert (after.conn_type, after.host, after.port, after.schema) == ("google_cloud", host, port, schema)
    assert after.password == password
    assert after.login == (login if login is not None or password is None else "")
    assert after.extra_dejson == (extra or {})


async def test_coroutines_get_connections_and_their_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"conn_type": "http", "password": "p", "extra": {"a": '{"b": 1}', "c": "x"}}
    monkeypatch.setenv("AIRFLOW_CONN_API", json.dumps(fields))

    api = await BaseHook.aget_connection("api")

    assert api.get_extra_dejson(nested=True) == {"a": {"b": 1}, "c": "x"}
    assert api.to_dict(prune_empty=True) == {
        "conn_id": "api",
        "conn_type": "http",
        "password": "p",
        "extra": {"a": '{"b": 1}', "c": "x"},
    }
    assert (await Connection.async_get("api")).get_password() == "p"
    assert Connection.from_uri("http://h", conn_id="x").host == "h"
