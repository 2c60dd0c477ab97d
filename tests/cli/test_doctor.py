"""`flowd doctor` finds what is wrong, and wildcards find the DAGs that are meant and no others."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Flowd
from tests.cli.seed import seed


@pytest.fixture(autouse=True)
def seeded(home: Path) -> None:
    home.mkdir()
    asyncio.run(seed(home))


def test_a_doctor_names_what_is_wrong_and_what_to_do(flowd: Flowd) -> None:
    flowd("queues", "pause", "gpu")
    outcome = flowd("doctor", "-o", "json")

    found = {one["part"]: one for one in json.loads(outcome.out)}
    assert outcome.code == 1
    assert found["scheduler"]["advice"] == "flowd run --roles scheduler"
    assert found["DAG files"]["finding"] == "bad.py cannot be read: SyntaxError: oh"
    assert found["queues"]["advice"] == "flowd queues resume gpu"
    assert "workers" not in found


def test_a_wildcard_is_the_whole_name_and_not_a_part_of_it(flowd: Flowd) -> None:
    def names(pattern: str) -> list[str]:
        return flowd("dags", "list", pattern, "-o", "plain").out.split("\n")

    assert [line.split("\t")[0] for line in names("dail?")] == ["daily", ""]
    assert [line.split("\t")[0] for line in names("*a*y*")] == ["daily", "daily_too", ""]
    assert flowd("dags", "pause", "dail[xy]*").err == "2 DAGs are paused.\n"
    assert flowd("dags", "list", "--paused", "-o", "plain").out.count("\n") == 2
    missed = flowd("dags", "pause", "nightly*")
    assert (missed.code, "no DAG's name matches 'nightly*'" in missed.err) == (3, True)


def test_what_no_key_opens_is_found_and_can_be_set_anew(
    flowd: Flowd, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    flowd("variables", "set", "shut", "old")
    flowd("connections", "set", "db", "--uri", "postgres://ada:old@db/sales")
    monkeypatch.setenv("FLOWD__SECURITY__FERNET_KEY", "B" * 43 + "=")

    found = {one["part"]: one["advice"] for one in json.loads(flowd("doctor", "-o", "json").out)}
    got, listed = flowd("variables", "get", "shut"), flowd("variables", "list")

    assert found["variables"] == "flowd variables set shut VALUE"
    assert found["connections"] == "flowd connections set db --uri URI"
    assert got.code == 1 and "variable 'shut' was encrypted with a key that this node does not have" in got.err
    assert "shut" in listed.out and "warning: variable 'shut' was encrypted" in listed.err
    assert flowd("variables", "set", "shut", "new").code == 0 and flowd("variables", "get", "shut").out == "new\n"
    assert flowd("connections", "set", "db", "--uri", "postgres://ada:new@db/sales").code == 0
    assert "new@db" in flowd("connections", "get", "db", "--reveal").out
