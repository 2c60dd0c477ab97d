"""`flowd import-airflow`, from every database that Airflow may have."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from flowd.db import dags
from flowd.db.dags import FreshDag
from flowd.db.metastore import Metastore
from flowd.db.migrate import upgrade
from flowd.domain.ids import BundleHash
from tests.cli.conftest import Flowd
from tests.support.airflow_metastore import KEY, AirflowMetastore, Version, an_airflow, fill
from tests.support.specs import a_dag, a_task

SECRETS = ("hunter2", "hunter3", "hunter4", KEY)
SOURCES = ("sqlite", "postgres_url", "mariadb_url")


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/airflow.db"


@pytest.fixture(autouse=True)
def _etl_is_known(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with the DAG `etl`, paused as every new one; and Airflow's key in the environment."""

    async def parse() -> None:
        metastore = Metastore(f"sqlite:///{home}/flowd.db")
        await upgrade(metastore)
        spec = a_dag(a_task("extract"), a_task("load", after=["extract"]))
        async with metastore.transaction() as tx:
            now = await tx.now()
            await dags.save(tx, [FreshDag(spec=spec)], bundle=BundleHash("c" * 64), paused_at_creation=True, now=now)
        await metastore.close()

    asyncio.run(parse())
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", KEY)


def make(url: str, version: Version, *steps: Callable[[AirflowMetastore], Awaitable[Any]]) -> None:
    """Make the tables, and fill them step by step."""

    async def run() -> None:
        async with an_airflow(url, version) as airflow:
            for step in steps:
                await step(airflow)

    asyncio.run(run())


def counts(document: dict[str, Any], part: str) -> dict[str, int]:
    return {fate: number for fate, number in document[part].items() if number}


def rows(home: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "flowd.db")) as database:
        return list(database.execute(statement))


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("source", SOURCES)
def test_everything_comes_and_a_second_time_changes_nothing(
    flowd: Flowd, home: Path, request: pytest.FixtureRequest, source: str, version: Version
) -> None:
    url = request.getfixturevalue(source)
    make(url, version, fill)

    planned = flowd("import-airflow", "--from", url, "--dry-run", "-o", "json")
    assert rows(home, "SELECT COUNT(*) FROM variable") == rows(home, "SELECT COUNT(*) FROM dag_run") == [(0,)]
    first = flowd("import-airflow", "--from", url, "-o", "json")
    second = flowd("import-airflow", "--from", url, "-o", "json")

    assert (planned.code, first.code, second.code, first.err, second.err) == (0, 0, 0, "", "")
    assert json.loads(planned.out) == json.loads(first.out) | {"is_dry_run": True}
    document, again = json.loads(first.out), json.loads(second.out)
    assert counts(document, "pools") == {"new": 1, "kept": 1}
    assert counts(document, "variables") == {"new": 2}
    assert counts(document, "connections") == {"new": 1, "skipped": 1}
    assert counts(document, "runs") == {"new": 3, "skipped": 2}
    assert counts(document, "tasks") == {"new": 6}
    assert counts(document, "pauses") == {"kept": 1, "skipped": 1}
    assert {part: counts(again, part).get("new", 0) for part in document if part not in ("is_dry_run", "groups")} == {
        "pools": 0, "variables": 0, "connections": 0, "runs": 0, "tasks": 0, "pauses": 0,
    }  # fmt: skip
    assert counts(again, "runs") == {"same": 3, "skipped": 2}
    said = planned.out + first.out + second.out + first.err
    assert [secret for secret in SECRETS if secret in said] == []
    assert flowd("variables", "get", "api_token").out == "hunter2\n"
    warehouse = json.loads(flowd("connections", "get", "warehouse", "--reveal", "-o", "json").out)
    assert warehouse["uri"] == "postgres://ada:hunter3@db:5432/main?role=hunter4"


@pytest.mark.parametrize("version", Version)
def test_the_api_shows_runs_as_airflow_had_them(flowd: Flowd, sqlite: str, version: Version) -> None:
    make(sqlite, version, fill)
    flowd("import-airflow", "--from", sqlite)

    first, second, third = json.loads(flowd("runs", "list", "etl", "--order-by", "id", "-o", "json").out)
    assert {
        "dag_run_id": "scheduled__2026-02-26T12:00:00+00:00",
        "state": "success",
        "run_type": "scheduled",
        "triggered_by": "timetable",
        "logical_date": "2026-02-26T12:00:00Z",
        "start_date": "2026-02-26T12:01:00Z",
        "end_date": "2026-02-26T12:11:00Z",
        "note": "well done",
    }.items() <= first.items()
    assert (second["state"], third["conf"]) == ("failed", {"rows": [1, 2]})
    task = json.loads(flowd("tasks", "show", "etl", third["dag_run_id"], "load", "-o", "json").out)
    assert {"state": "failed", "try_number": 2, "hostname": "celery-1", "note": "look at this"}.items() <= task.items()
    assert task["start_date"] == "2026-02-28T12:00:00Z" and task["duration"] == 300
    tries = json.loads(flowd("tasks", "tries", "etl", third["dag_run_id"], "load", "-o", "json").out)
    assert [(one["try_number"], one["state"]) for one in tries] == [(2, "failed")]
    assert flowd("tasks", "logs", "etl", third["dag_run_id"], "load").code == 3


def test_what_flowd_has_stays_unless_it_is_to_be_overwritten(flowd: Flowd, sqlite: str) -> None:
    make(sqlite, Version.THREE, fill)
    flowd("variables", "set", "api_token", "mine")
    flowd("dags", "unpause", "etl")

    kept = flowd("import-airflow", "--from", sqlite, "--only", "variables")
    assert "api_token" in kept.out and "--overwrite takes Airflow's" in kept.out
    assert flowd("variables", "get", "api_token").out == "mine\n"
    unsure = flowd("import-airflow", "--from", sqlite, "--only", "variables", "--overwrite")
    assert (unsure.code, "add --yes" in unsure.err) == (2, True)
    changed = flowd("import-airflow", "--from", sqlite, "--only", "variables", "--overwrite", "--yes", "-o", "json")

    assert counts(json.loads(changed.out), "variables") == {"changed": 1, "same": 1}
    assert flowd("variables", "get", "api_token").out == "hunter2\n"


def test_a_dag_goes_on_here_only_when_that_is_said(flowd: Flowd, home: Path, sqlite: str) -> None:
    make(sqlite, Version.TWO, fill)

    flowd("import-airflow", "--from", sqlite, "--overwrite", "--yes")
    assert rows(home, "SELECT is_paused FROM dag") == [(1,)]
    outcome = flowd("import-airflow", "--from", sqlite, "--only", "pauses", "--unpause", "--yes", "-o", "json")

    assert rows(home, "SELECT is_paused FROM dag") == [(0,)]
    assert counts(json.loads(outcome.out), "pauses") == {"changed": 1, "skipped": 1}
    (unknown,) = [group for group in json.loads(outcome.out)["groups"] if group["fate"] == "skipped"]
    assert (unknown["names"], "let a scheduler parse its file" in unknown["reason"]) == (["gone"], True)


def test_a_dag_that_is_paused_in_airflow_is_paused_here_when_that_is_said(
    flowd: Flowd, home: Path, sqlite: str
) -> None:
    make(sqlite, Version.THREE, lambda airflow: airflow.dag("etl", is_paused=True))
    flowd("dags", "unpause", "etl")

    assert "--overwrite pauses it" in flowd("import-airflow", "--from", sqlite).out
    assert rows(home, "SELECT is_paused FROM dag") == [(0,)]
    flowd("import-airflow", "--from", sqlite, "--overwrite", "--yes")

    assert rows(home, "SELECT is_paused FROM dag") == [(1,)]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (Fernet.generate_key().decode(), "was encrypted with another Fernet key than was given"),
        ("", "is encrypted, and no Fernet key of Airflow was given"),
    ],
    ids=["wrong", "none"],
)
def test_a_key_that_does_not_open_everything_stops_it_before_anything_is_written(
    flowd: Flowd, home: Path, sqlite: str, key: str, reason: str
) -> None:
    make(sqlite, Version.TWO, fill)

    refused = flowd("import-airflow", "--from", sqlite, "--fernet-key", key)
    assert refused.code == 2
    assert f"variable 'api_token' {reason}" in refused.err
    assert f"the password of connection 'warehouse' {reason}" in refused.err
    assert "AIRFLOW__CORE__FERNET_KEY or --fernet-key" in refused.err and "--skip-unreadable" in refused.err
    assert rows(home, "SELECT name FROM pool") == [("default_pool",)]
    taken = flowd("import-airflow", "--from", sqlite, "--fernet-key", key, "--skip-unreadable", "-o", "json")

    assert counts(json.loads(taken.out), "variables") == {"new": 1, "skipped": 1}
    assert [secret for secret in SECRETS if secret in refused.err + taken.out + taken.err] == []


def test_rotated_keys_are_a_comma_list_and_come_from_stdin_as_well(flowd: Flowd, sqlite: str) -> None:
    older = Fernet.generate_key().decode()
    make(sqlite, Version.THREE, fill, lambda airflow: airflow.variable("aged", "value", key=older))

    arguments = ("import-airflow", "--from", sqlite, "--only", "variables", "--fernet-key", "-", "-o", "json")
    outcome = flowd(*arguments, stdin=f"{KEY},{older}\n")

    assert counts(json.loads(outcome.out), "variables") == {"new": 3}
    bad = flowd("import-airflow", "--from", sqlite, "--fernet-key", f"{KEY},short")
    assert bad.code == 2 and "number 2 of 2, is none: wanted 32 bytes" in bad.err and "short" not in bad.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("DROP TABLE slot_pool", "has no table 'slot_pool': wanted the metastore of Airflow 2.2 to 3.x"),
        ("ALTER TABLE task_instance RENAME COLUMN run_id TO execution_date", "has no column 'run_id'"),
        ("ALTER TABLE dag_run RENAME COLUMN execution_date TO moment", "has no column 'logical_date'"),
    ],
)
def test_a_schema_that_is_not_known_says_what_it_lacks(flowd: Flowd, sqlite: str, change: str, message: str) -> None:
    make(sqlite, Version.TWO, lambda airflow: airflow.execute(change))

    outcome = flowd("import-airflow", "--from", sqlite)

    assert outcome.code == 2 and message in outcome.err
    assert flowd("import-airflow", "--from", sqlite, "--only", "variables").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give the URL of its metastore with --from, or as AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        (["--from", "https://airflow.example"], 2, "its REST API shows no passwords"),
        (["--from", "oracle://x:hunter2@y/z"], 2, "names 'oracle'; wanted sqlite, postgresql or mysql"),
        (["--from", "sqlite:////no/such/airflow.db"], 2, "/no/such/airflow.db is no file"),
        (["--from", "postgresql+psycopg2://airflow:hunter2@127.0.0.1:1/airflow"], 5, "did not answer"),
        (["--from", "sqlite:////x", "--only", "dags"], 2, "'dags' is no part of Airflow; wanted pools, variables"),
        (["--from", "sqlite:////x", "--since", "soon"], 2, "'soon' is no date"),
        (["--from", "sqlite:////x", "--api", "http://localhost:1"], 2, "with --api local"),
    ],
)
def test_what_is_wrong_is_said_without_a_password(flowd: Flowd, arguments: list[str], code: int, message: str) -> None:
    outcome = flowd("import-airflow", *arguments)

    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err and "hunter2" not in outcome.err


def test_airflows_own_setting_names_the_metastore(flowd: Flowd, sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make(sqlite, Version.TWO, fill)
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", sqlite)

    outcome = flowd("import-airflow", "--only", "pools", "-o", "plain")

    assert outcome.out.splitlines()[0].split("\t") == ["pools", "new", "1", "", "gpu"]


def test_airflows_file_is_not_touched(flowd: Flowd, sqlite: str, tmp_path: Path) -> None:
    make(sqlite, Version.TWO, fill)
    before = (tmp_path / "airflow.db").read_bytes()

    flowd("import-airflow", "--from", sqlite)

    assert (tmp_path / "airflow.db").read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("airflow.db*")) == ["airflow.db"]


def test_a_value_that_flowd_cannot_hold_is_told_and_holds_up_no_other(flowd: Flowd, sqlite: str) -> None:
    make(sqlite, Version.THREE, fill, lambda airflow: airflow.variable(" spaced ", "x"))

    outcome = flowd("import-airflow", "--from", sqlite, "-o", "json")

    reasons = [group["reason"] for group in json.loads(outcome.out)["groups"] if group["fate"] == "skipped"]
    assert any("connection 'odd' has an extra that is no JSON" in reason for reason in reasons)
    assert any("' spaced ' is no name of a variable" in reason for reason in reasons)
    assert counts(json.loads(outcome.out), "variables") == {"new": 2, "skipped": 1}
