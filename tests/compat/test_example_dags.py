"""`airflow.example_dags`: found where the DAG folder is a copy of Airflow's examples."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowd.compat import example_dags
from flowd.sdk.dag_file import load

DAG_FILE = """
from airflow import DAG
from airflow.example_dags.libs.naming import NAME

dag = DAG(NAME, schedule=None)
"""


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(example_dags, "_folders", [])
    finders, path, known = [*sys.meta_path], [*sys.path], set(sys.modules)
    yield
    sys.meta_path[:], sys.path[:] = finders, path
    for name in set(sys.modules) - known:
        if name.startswith("airflow.example_dags"):
            del sys.modules[name]


def test_an_example_finds_its_helper_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "naming.py").write_text("NAME = 'named'\n")
    (tmp_path / "example.py").write_text(DAG_FILE)

    (dag,) = load(str(tmp_path), "example.py")

    assert dag.dag_id == "named"


def test_one_that_is_not_there_is_said_to_be_airflows_own(tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(DAG_FILE)

    with pytest.raises(ModuleNotFoundError, match=r"example_dags.libs is one of Airflow's own examples and not"):
        load(str(tmp_path), "example.py")
