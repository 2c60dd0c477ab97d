"""flowd lint: each file's verdict, with the line it is about and an exit code for CI."""

import json
from pathlib import Path

from tests.cli.conftest import Flowd

FILES = {
    "fine.py": 'from airflow import DAG\nwith DAG("fine", schedule=None):\n    pass\n',
    "moving.py": 'from airflow import DAG\nfrom airflow.utils.dates import days_ago\n\n'
    'dag = DAG("m", start_date=days_ago(1))\n',
    "stubbed.py": 'from airflow import DAG\nfrom airflow.providers.ssh.operators.ssh import SSHOperator\n'
    'with DAG("s", schedule=None):\n    SSHOperator(\n        task_id="go", command="true"\n    )\n',
    "refused.py": 'from airflow import DAG\nfrom airflow.operators.bash import BashOperator\n'
    'with DAG("r", schedule=None):\n    BashOperator(task_id="b", bash_command="true", trigger_rule="never")\n',
    "broken.py": "from airflow import DAG\n\nimport no_such_module\n",
    "helper.py": "x = 1\n",
}  # fmt: skip


def write(folder: Path, *names: str) -> str:
    folder.mkdir()
    for name in names:
        (folder / name).write_text(FILES[name])
    return str(folder)


def test_each_file_has_its_verdict_line_and_advice(flowd: Flowd, tmp_path: Path) -> None:
    folder = write(tmp_path / "dags", *FILES)

    outcome = flowd("lint", folder, "-o", "json")

    rows = json.loads(outcome.out)
    assert [(row["file"], row["line"], row["verdict"]) for row in rows] == [
        ("broken.py", 3, "error"),
        ("fine.py", None, "runs"),
        ("moving.py", 4, "warning"),
        ("moving.py", None, "runs"),
        ("refused.py", 4, "error"),
        ("stubbed.py", 4, "stub"),
        ("stubbed.py", None, "runs"),
    ]
    assert "No module named 'no_such_module'" in rows[0]["what"]
    assert "install apache-airflow-providers-ssh" in rows[5]["what"]
    assert outcome.code == 1
    assert outcome.err == "files: 5, error: 2, runs: 1, warning: 1, stub: 1\n"


def test_a_folder_that_runs_passes_in_ci_warnings_or_not(flowd: Flowd, tmp_path: Path) -> None:
    folder = write(tmp_path / "dags", "fine.py", "moving.py")

    outcome = flowd("lint", folder)

    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == "fine.py: runs: fine (0 tasks)"
    assert outcome.out.splitlines()[1].startswith("moving.py:4: warning: days_ago(1) is another date each day")


def test_what_is_wrong_with_a_plugin_is_said_once(flowd: Flowd, tmp_path: Path) -> None:
    folder = write(tmp_path / "dags", "fine.py")
    (tmp_path / "dags" / "second.py").write_text(FILES["fine.py"].replace("fine", "second"))
    (tmp_path / "dags" / "plugins").mkdir()
    (tmp_path / "dags" / "plugins" / "broken_plugin.py").write_text("from absent import AirflowPlugin\n")

    outcome = flowd("lint", folder)

    assert outcome.out.splitlines()[0] == (
        "several files: warning: plugins/broken_plugin.py is left out: No module named 'absent'"
    )
    assert sum("is left out" in line for line in outcome.out.splitlines()) == 1
    assert outcome.err == "files: 2, runs: 2\n"


def test_one_file_can_be_read_and_a_path_that_is_none_is_named(flowd: Flowd, tmp_path: Path) -> None:
    folder = write(tmp_path / "dags", "helper.py")

    assert flowd("lint", f"{folder}/helper.py").out == "helper.py: none: defines no DAG\n"
    assert "there is no file or folder" in flowd("lint", f"{folder}/nope").err
