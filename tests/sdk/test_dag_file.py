"""Loading DAG files: what is collected, what is refused, and that a broken file can be mended."""

import sys
from pathlib import Path

import pytest

from flowd.domain.errors import InvalidDag
from flowd.sdk.dag_file import load, module_name
from flowd.sdk.supervisor import NoSupervisor

DAGS = str(Path(__file__).parent / "dags")


def write(folder: Path, text: str, name: str = "made.py") -> str:
    (folder / name).write_text(text)
    return str(folder)


def test_globals_and_dags_that_registered_are_collected_and_no_others() -> None:
    assert [dag.dag_id for dag in load(DAGS, "tour.py")] == ["tour", "made_by_call"]
    assert [dag.dag_id for dag in load(DAGS, "neighbour.py")] == ["neighbour"]


def test_a_file_is_imported_once_per_process_and_knows_its_place() -> None:
    dags = load(DAGS, "tour.py")

    assert load(DAGS, "tour.py") is dags
    assert {dag.fileloc for dag in dags} == {f"{DAGS}/tour.py"}
    assert sys.modules[module_name("tour.py")].tour is dags[0]


def test_a_dag_that_must_not_register_is_left_out(tmp_path: Path) -> None:
    root = write(tmp_path, "from flowd import DAG\ndef f():\n    with DAG('d', auto_register=False): pass\nf()\n")

    assert load(root, "made.py") == []


def test_modules_beside_the_file_and_plugins_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "plugin_beside_dags.py").write_text("NAME = 'plugged'\n")
    (tmp_path / "module_beside_dags.py").write_text(
        "from flowd import DAG\ndef make(name):\n    with DAG(name): pass\n"
    )
    text = "from module_beside_dags import make\nfrom plugin_beside_dags import NAME\nmake(NAME)\n"

    assert [dag.dag_id for dag in load(write(tmp_path, text), "made.py")] == ["plugged"]


def test_a_broken_file_can_be_mended(tmp_path: Path) -> None:
    root = write(tmp_path, "1 / 0\n", "mended.py")
    with pytest.raises(ZeroDivisionError):
        load(root, "mended.py")
    assert module_name("mended.py") not in sys.modules

    write(tmp_path, "from flowd import DAG\nd = DAG('mended_now')\n", "mended.py")

    assert [dag.dag_id for dag in load(root, "mended.py")] == ["mended_now"]


def test_an_open_block_of_a_broken_file_does_not_take_the_next_files_tasks(tmp_path: Path) -> None:
    write(tmp_path, "from flowd import DAG\nDAG('open').__enter__()\n", "open.py")
    root = write(tmp_path, "from flowd import EmptyOperator\nt = EmptyOperator(task_id='t')\n", "next.py")
    load(root, "open.py")

    load(root, "next.py")

    assert not sys.modules[module_name("next.py")].t.has_dag()


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("from flowd import DAG\na = DAG('x')\nb = DAG('x')\n", "twice.py", "two DAGs have the id 'x'"),
        ("DAG: none\n", "dag.yaml", "dag.yaml is no Python file"),
    ],
)
def test_a_file_that_cannot_be_is_refused(tmp_path: Path, text: str, name: str, message: str) -> None:
    with pytest.raises(InvalidDag, match=message):
        load(write(tmp_path, text, name), name)


def test_a_variable_at_the_top_of_a_file_is_never_guessed(tmp_path: Path) -> None:
    root = write(tmp_path, "from airflow.models import Variable\nVariable.get('x', 'default')\n", "asks.py")

    with pytest.raises(NoSupervisor, match="at the top of a DAG file use a template"):
        load(root, "asks.py")
