"""Which DAG files a change of the folder touches."""

import hashlib

import pytest

from flowd.roles.scheduler.dag_changes import touched
from flowd.roles.scheduler.dag_folder import FoundFile, Snapshot

DAGS = {"a.py": "airflow dag A", "b.py": "airflow dag B", "team/c.py": "airflow dag C"}


def snapshot(texts: dict[str, str]) -> Snapshot:
    files = {
        path: FoundFile(
            path=path,
            hash=hashlib.sha256(text.encode()).hexdigest(),
            size_bytes=len(text),
            is_candidate="airflow dag" in text,
        )
        for path, text in texts.items()
    }
    return Snapshot(files=files, problems={})


def change(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return touched(snapshot(before), snapshot(after), lambda path: after[path])


def test_nothing_changed_touches_nothing() -> None:
    assert change(DAGS, DAGS) == set()


def test_a_dag_file_that_none_imports_touches_itself() -> None:
    assert change(DAGS, DAGS | {"a.py": "airflow dag A2"}) == {"a.py"}


def test_a_new_dag_file_touches_itself_and_a_removed_one_nothing() -> None:
    assert change(DAGS, DAGS | {"d.py": "airflow dag D"}) == {"d.py"}
    assert change(DAGS | {"d.py": "airflow dag D"}, DAGS) == set()


@pytest.mark.parametrize("other", ["helpers.py", "tables.yaml", "team/__init__.py"])
def test_a_file_that_is_no_dag_file_touches_all_wherever_it_is_new_changed_or_removed(other: str) -> None:
    assert change(DAGS, DAGS | {other: "1"}) == set(DAGS)
    assert change(DAGS | {other: "1"}, DAGS | {other: "2"}) == set(DAGS)
    assert change(DAGS | {other: "1"}, DAGS) == set(DAGS)


@pytest.mark.parametrize("importing", ["import a", "from a import x", "importlib.import_module('a')"])
def test_a_dag_file_that_another_file_names_touches_all(importing: str) -> None:
    before = DAGS | {"b.py": f"airflow dag B {importing}"}

    assert change(before, before | {"a.py": "airflow dag A2"}) == set(DAGS)


def test_a_dag_file_may_say_its_own_name() -> None:
    before = DAGS | {"a.py": "airflow dag a"}

    assert change(before, before | {"a.py": "airflow dag a 2"}) == {"a.py"}


def test_a_file_that_becomes_a_dag_file_without_a_change_of_its_own_is_touched() -> None:
    before, after = snapshot(DAGS), snapshot(DAGS)
    hidden = FoundFile(path="a.py", hash=after.files["a.py"].hash, size_bytes=1, is_candidate=False)
    before = Snapshot(files={**before.files, "a.py": hidden}, problems={})

    assert touched(before, after, lambda path: DAGS[path]) == {"a.py"}
