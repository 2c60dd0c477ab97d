"""`flowd db`: the metastore's schema, from the command line."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Flowd

AWAY = "postgresql://flowd:hunter2@127.0.0.1:1/flowd"


def state(flowd: Flowd) -> tuple[int, str]:
    outcome = flowd("db", "check", "-o", "json")
    return outcome.code, json.loads(outcome.out)["state"]


def test_a_metastore_is_migrated_checked_and_taken_back(flowd: Flowd) -> None:
    assert state(flowd) == (1, "empty")
    assert flowd("db", "migrate").code == 0
    assert state(flowd) == (0, "up_to_date")
    assert flowd("db", "downgrade", "base", "--yes").code == 0
    assert state(flowd) == (1, "empty")
    assert flowd("db", "init").code == 0
    assert state(flowd) == (0, "up_to_date")


def test_what_destroys_wants_to_be_confirmed(flowd: Flowd) -> None:
    flowd("variables", "set", "a", "1")

    for arguments in (["db", "reset"], ["db", "downgrade", "base"], ["db", "clean", "--older-than", "1d"]):
        outcome = flowd(*arguments)
        assert outcome.code == 2 and "add --yes" in outcome.err

    assert flowd("variables", "get", "a").out == "1\n"
    assert flowd("db", "reset", "--yes").code == 0
    assert flowd("variables", "get", "a").code == 3


def test_cleaning_says_what_it_did(flowd: Flowd) -> None:
    assert json.loads(flowd("db", "clean", "--older-than", "90d", "--dry-run", "-o", "json").out) == {"runs": 0}
    assert json.loads(flowd("db", "clean", "--older-than", "90d", "--yes", "-o", "json").out)["runs"] == 0
    assert flowd("db", "clean", "--older-than", "soon", "--yes").code == 2


def test_a_metastore_that_is_away_is_unreachable_and_keeps_its_password(
    flowd: Flowd, monkeypatch: pytest.MonkeyPatch, keys: None
) -> None:
    monkeypatch.setenv("FLOWD__DATABASE__URL", AWAY)

    for arguments in (["db", "check"], ["db", "migrate"], ["users", "list"]):
        outcome = flowd(*arguments)
        assert outcome.code == 5 and "did not answer" in outcome.err
        assert "hunter2" not in outcome.err + outcome.out


def test_a_server_database_without_a_schema_is_not_touched_by_other_commands(
    flowd: Flowd, monkeypatch: pytest.MonkeyPatch, keys: None, postgres_url: str
) -> None:
    monkeypatch.setenv("FLOWD__DATABASE__URL", postgres_url)

    outcome = flowd("users", "list")

    assert outcome.code == 1 and "run `flowd db migrate`" in outcome.err
    assert state(flowd) == (1, "empty")
    assert flowd("db", "migrate").code == 0
    assert flowd("users", "list").code == 0


def test_an_embedded_metastore_is_made_by_the_first_command_that_needs_it(flowd: Flowd, home: Path) -> None:
    assert flowd("pools", "list", "-o", "plain").out == "default_pool\t128\t128\t0\t0\tDefault pool\tfalse\n"
    assert (home / "flowd.db").is_file()
