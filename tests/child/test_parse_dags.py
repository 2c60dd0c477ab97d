"""parse_dags: what a DAG file defines, and what is said of one that is broken."""

from pathlib import Path
from typing import Any

import pytest

from flowd.child import parse_dags
from flowd.domain.dag_spec import dag_from_json
from tests.support.task_server import TaskServer

DAGS = str(Path(__file__).parent / "dags")


def parse(folder: str, file: str) -> dict[str, Any]:
    server = TaskServer(variables={"bucket": "b"})
    with server.channel() as channel:
        parse_dags.main(channel, {"folder": folder, "file": file})
    assert server.result is not None
    return server.result


def parse_text(folder: Path, name: str, text: str) -> dict[str, Any]:
    (folder / name).write_text(text)
    return parse(str(folder), name)


@pytest.mark.filterwarnings("default")
def test_each_dag_is_parsed_or_has_its_error_and_only_warnings_for_authors_are_told() -> None:
    result = parse(DAGS, "mixed.py")

    assert [dag_from_json(dag).dag_id for dag in result["dags"]] == ["fine"]
    assert [error["dag_id"] for error in result["errors"]] == ["circle"]
    assert "mixed.py: DAG 'circle': its tasks wait for each other in a circle" in result["errors"][0]["message"]
    assert "import_error" not in result
    assert [warning.partition(",")[0] for warning in result["warnings"]] == ["days_ago(1) is another date each day"]


def test_a_file_without_a_dag_defines_none(tmp_path: Path) -> None:
    assert parse_text(tmp_path, "empty_of_dags.py", "x = 1\n") == {
        "dags": [],
        "errors": [],
        "warnings": [],
        "notes": [],
    }


def test_a_file_may_ask_for_a_variable_while_it_is_parsed(tmp_path: Path) -> None:
    text = "from flowd import DAG, Variable\nd = DAG(f\"of_{Variable.get('bucket')}\")\n"

    assert parse_text(tmp_path, "asking.py", text)["dags"][0]["dag_id"] == "of_b"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("syntax.py", "def f(:\n", 'syntax.py: File "{folder}/syntax.py", line 1'),
        ("exits.py", "import sys\nsys.exit(0)\n", "exits.py: sys.exit(0) was called while the file was imported"),
        ("missing.py", "import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("typo.py", "from flowd import DAG\nDAG('d', schedul=None)\n", "unknown keyword 'schedul'; did you mean"),
        ("interrupts.py", "raise KeyboardInterrupt\n", "interrupts.py: KeyboardInterrupt"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why(tmp_path: Path, name: str, text: str, message: str) -> None:
    result = parse_text(tmp_path, name, text)

    assert message.format(folder=tmp_path) in result["import_error"]["message"]
    assert "dags" not in result


def test_the_traceback_begins_in_the_authors_file(tmp_path: Path) -> None:
    result = parse_text(tmp_path, "divides.py", "def f():\n    1 / 0\n\nf()\n")

    lines = result["import_error"]["traceback"].splitlines()
    assert lines[1] == f'  File "{tmp_path}/divides.py", line 4, in <module>'
    assert result["import_error"]["message"] == "divides.py: ZeroDivisionError: division by zero"
