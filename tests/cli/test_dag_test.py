"""flowd dags test, flowd tasks test, and the command line of a file that ends in dag.cli()."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Flowd

CHAIN = """
from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG("chain", schedule=None, params={"code": 0}) as dag:
    BashOperator(task_id="say", bash_command="echo said {{ ds }}") >> BashOperator(
        task_id="leave", bash_command="exit {{ params.code }}"
    )

if __name__ == "__main__":
    dag.cli()
"""
TWO = "from flowd import DAG\na = DAG('a', schedule=None)\nb = DAG('b', schedule=None)\n"


@pytest.fixture
def folder(home: Path) -> Path:
    """The DAG folder, with files."""
    folder = home / "dags"
    folder.mkdir(parents=True)
    (folder / "a_chain.py").write_text(CHAIN)
    (folder / "two.py").write_text(TWO)
    (folder / "broken.py").write_text("from flowd import DAG\n1 / 0\n")
    return folder


def test_a_dag_is_run_by_its_id_or_its_file(flowd: Flowd, folder: Path) -> None:
    by_id = flowd("dags", "test", "chain", "2026-05-04", "-o", "json")
    by_file = flowd("dags", "test", str(folder / "a_chain.py"), "-o", "json", "--mark-success-pattern", "say")

    rows = json.loads(by_id.out)
    assert [(row["task_id"], row["state"], row["try_number"]) for row in rows] == [
        ("say", "success", 1),
        ("leave", "success", 1),
    ]
    assert (by_id.code, by_file.code) == (0, 0)
    assert "said 2026-05-04" in by_id.err
    assert by_id.err.endswith("Run manual__2026-05-04T00:00:00+00:00 of chain: success.\n")
    assert "said" not in by_file.err


def test_a_failed_run_is_exit_code_1_and_the_table_is_all_there_is_on_stdout(flowd: Flowd, folder: Path) -> None:
    outcome = flowd("dags", "test", "chain", "--conf", '{"code": 3}')

    assert outcome.code == 1
    assert [line.split()[:3] for line in outcome.out.splitlines()] == [
        ["task_id", "map_index", "state"],
        ["say", "-1", "success"],
        ["leave", "-1", "failed"],
    ]


def test_one_task_is_run_alone(flowd: Flowd, folder: Path) -> None:
    outcome = flowd("tasks", "test", "chain", "leave", "-c", '{"code": 0}', "-o", "json")

    assert outcome.code == 0
    assert [row["task_id"] for row in json.loads(outcome.out)] == ["leave"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 3, "defines a DAG 'nowhere'; `flowd lint"),
        (["nowhere.py"], 3, "there is no file nowhere.py"),
        (["home/dags/two.py"], 2, "defines 2 DAGs; choose one with --dag-id: a, b"),
        (["home/dags/two.py", "--dag-id", "c"], 3, "defines no DAG 'c'; it defines a, b"),
        (["home/dags/broken.py"], 1, "ZeroDivisionError"),
        (["chain", "yesterday"], 2, "'yesterday' is no date"),
        (["chain", "--conf", "[]"], 2, "wanted a JSON object"),
    ],
)
def test_what_cannot_be_run_is_said(flowd: Flowd, folder: Path, arguments: list[str], code: int, message: str) -> None:
    outcome = flowd("dags", "test", *arguments)

    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err


def test_the_dag_of_several_is_chosen(flowd: Flowd, folder: Path) -> None:
    outcome = flowd("dags", "test", "home/dags/two.py", "--dag-id", "b")

    assert (outcome.code, outcome.out) == (0, "")
    assert "The DAG has no tasks." in outcome.err


def test_a_file_has_its_own_command_line(folder: Path, home: Path) -> None:
    command = [sys.executable, "-m", "flowd.compat", str(folder / "a_chain.py")]

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=os.environ)

    tested, listed = run("test", "2026-05-04", "--task", "say", "-o", "plain"), run("list-tasks", "-o", "plain")

    assert tested.stdout.split("\t")[:3] == ["say", "-1", "success"]
    assert listed.stdout == "say\tBashOperator\t\nleave\tBashOperator\tsay\n"
    assert run("test", "--conf", "no").returncode == 2
