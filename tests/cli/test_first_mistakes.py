"""What a newcomer gets wrong on the first day is answered with what to do."""

import json

import pytest

from tests.cli.conftest import Flowd


def test_a_pool_without_a_limit_takes_minus_one_for_a_number(flowd: Flowd) -> None:
    made = flowd("pools", "set", "wide", "-1")

    assert made.code == 0
    assert json.loads(flowd("pools", "get", "wide", "-o", "json").out)["slots"] == -1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["runs", "list", "nope"], 3, "The Dag with ID: `nope` was not found"),
        (["runs", "list", "--state", "bogus"], 2, "state: Input should be one of queued, running"),
        (["runs", "show", "etl", ""], 2, "DAG_RUN_ID is empty; give the name of one"),
        (["dags", "delete", "", "--yes"], 2, "DAG_ID is empty; give the name of one"),
        (["dags", "next", "nope"], 3, "The Dag with ID: `nope` was not found"),
    ],
)
def test_a_name_that_is_none_is_an_error_and_not_an_empty_list(
    flowd: Flowd, arguments: list[str], code: int, message: str
) -> None:
    answer = flowd(*arguments)

    assert answer.code == code
    assert message in answer.err


def test_a_home_that_cannot_be_written_is_named(flowd: Flowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWD_HOME", "/dev/null/home")

    answer = flowd("run")

    assert answer.code == 78
    assert "$FLOWD_HOME is /dev/null/home, and nothing can be written there" in answer.err
