"""What this process has been given in secret is shown as stars."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from flowd import DAG, BashOperator, Variable
from flowd.child.rendered import report_rendered
from flowd.sdk import secret_values
from flowd.sdk.connection import Connection
from flowd.sdk.secret_values import mask_secret, redacted, secrets_told_to
from flowd.sdk.supervisor import supervised_by
from tests.operators.running import context_for
from tests.support.task_server import TaskServer


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has been given no secret yet."""
    monkeypatch.setattr(secret_values, "_known", set())
    yield


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("psql -p hunter22 -u me", "psql -p *** -u me"),
        ({"cmd": ["hunter22", 5]}, {"cmd": ["***", 5]}),
        ({"password": "short", "api_key": 7, "on": True}, {"password": "***", "api_key": "***", "on": True}),
        ({"hunter22": 1}, {"***": 1}),
        (None, None),
    ],
)
def test_a_known_secret_and_what_sounds_like_one_are_starred(given: Any, shown: Any) -> None:
    mask_secret("hunter22")

    assert redacted(given) == shown


def test_the_longest_secret_goes_first_and_short_ones_are_left() -> None:
    mask_secret(["abcd", "abcdef", "a"])

    assert redacted("abcdef a") == "*** a"


def test_rendered_fields_show_no_secret_of_connections_and_variables() -> None:
    server = TaskServer()
    server.connections["db"] = {
        "conn_id": "db",
        "password": "hunter22",
        "extra": '{"token": "tttt1", "region": "eu-1"}',
    }
    server.variables["api_key"] = "kkkk1"
    server.variables["settings"] = '{"password": "pppp1", "rows": "many1"}'
    with DAG("etl"):
        task = BashOperator(
            task_id="t",
            bash_command="{{ conn.db.password }} {{ conn.db.extra_dejson.region }} {{ var.value.api_key }}",
            env={"TOKEN": "{{ conn.db.extra_dejson.token }}", "P": "{{ var.json.settings.password }}", "R": "many1"},
        )

    with supervised_by(server):
        context = context_for(task)
        task.render_template_fields(context)
        report_rendered(task, context)

    assert server.rendered == {
        "bash_command": "*** eu-1 ***",
        "env": {"TOKEN": "***", "P": "***", "R": "many1"},
        "cwd": None,
    }
    assert task.env == {"TOKEN": "tttt1", "P": "pppp1", "R": "many1"}


def test_connections_of_the_environment_are_secret_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DB", "mysql://me:hunter23@h/s")
    monkeypatch.setenv("AIRFLOW_VAR_MY_SECRET", "ssss1")

    assert Connection.get("db").host == "h"
    Variable.get("my_secret")

    assert redacted("hunter23 ssss1") == "*** ***"


def test_a_secret_is_masked_as_it_looks_in_a_url_in_json_and_in_python() -> None:
    mask_secret('p@ss "w\\rd/é')

    assert redacted("p%40ss%20%22w%5Crd%2F%C3%A9") == "***"
    assert redacted("p%40ss%20%22w%5Crd/%C3%A9") == "***"
    assert redacted(json.dumps({"a": 'p@ss "w\\rd/é'})) == '{"a": "***"}'
    assert redacted(repr(['p@ss "w\\rd/é'])) == "['***']"


def test_whoever_is_to_hide_secrets_is_told_each_once() -> None:
    mask_secret("known before")
    told: list[str] = []

    with secrets_told_to(told.append):
        mask_secret(["hunter22", "known before"])
    mask_secret("too late")

    assert sorted(told) == ["hunter22", "known before", "known%20before"]
