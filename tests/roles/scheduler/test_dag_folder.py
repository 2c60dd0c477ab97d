"""What a scan of the DAG folder finds."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from flowd.roles.scheduler.dag_folder import DagFolder, FolderChanged, FolderUnusable, Snapshot
from tests.support.pace import at_pace

DAG = "from airflow.sdk import DAG\n"


def folder(path: Path, *, most_bytes: int = 1024**2) -> DagFolder:
    return DagFolder(str(path), most_bytes=most_bytes)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_every_regular_file_is_found_with_its_hash(tmp_path: Path) -> None:
    write(tmp_path, {"etl.py": DAG, "sql/query.sql": "SELECT 1"})

    snapshot = folder(tmp_path).scan()

    assert snapshot.manifest == {
        "etl.py": hashlib.sha256(DAG.encode()).hexdigest(),
        "sql/query.sql": hashlib.sha256(b"SELECT 1").hexdigest(),
    }
    assert snapshot.candidates == ["etl.py"]
    assert snapshot.files["sql/query.sql"].size_bytes == 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from flowd import dag", True),
        ("import AIRFLOW; DAG", True),
        ("import airflow", False),
        ("dag = 1", False),
        ("", False),
    ],
)
def test_a_file_may_define_dags_if_it_speaks_of_them_and_of_airflow_or_flowd(
    tmp_path: Path, text: str, expected: bool
) -> None:
    write(tmp_path, {"a.py": text, "notes.txt": DAG})

    assert folder(tmp_path).scan().candidates == (["a.py"] if expected else [])


def test_hidden_files_caches_and_what_is_no_file_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, {".git/dag.py": DAG, ".env": "x", "__pycache__/a.pyc": "x", "deep/__pycache__/b.pyc": "x"})
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "absent")

    assert folder(tmp_path).scan() == Snapshot(files={}, problems={})


def test_links_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path, {"dags/real/etl.py": DAG, "elsewhere/shared.py": DAG})
    (tmp_path / "dags/link.py").symlink_to(tmp_path / "elsewhere/shared.py")
    (tmp_path / "dags/team").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "dags/real/loop").symlink_to(tmp_path / "dags/real")
    (tmp_path / "dags/top").symlink_to(tmp_path / "dags")

    assert folder(tmp_path / "dags").scan().candidates == ["link.py", "real/etl.py", "team/shared.py"]


def test_airflowignore_hides_dags_from_parsing_but_keeps_them_importable(tmp_path: Path) -> None:
    write(tmp_path, {".airflowignore": "lib\n", "etl.py": DAG, "lib/shared.py": DAG})

    snapshot = folder(tmp_path).scan()

    assert snapshot.candidates == ["etl.py"]
    assert "lib/shared.py" in snapshot.files


def test_flowdignore_leaves_files_out_of_the_bundle(tmp_path: Path) -> None:
    write(tmp_path, {".flowdignore": "data/\n", "etl.py": DAG, "data/large.csv": "x" * 2048})

    assert list(folder(tmp_path, most_bytes=1024).scan().files) == ["etl.py"]


def test_a_pattern_that_cannot_be_read_is_a_problem_of_its_file(tmp_path: Path) -> None:
    write(tmp_path, {"team/.airflowignore": "# syntax: regexp\n(\n", "etl.py": DAG})

    snapshot = folder(tmp_path).scan()

    assert list(snapshot.problems) == ["team/.airflowignore"]
    assert snapshot.candidates == ["etl.py"]


def test_a_folder_that_is_too_large_names_its_largest_files_and_the_way_out(tmp_path: Path) -> None:
    write(tmp_path, {"etl.py": DAG, "large.csv": "x" * 5000})

    with pytest.raises(FolderUnusable, match=r"large\.csv \(5000 bytes\).*\.flowdignore.*MAX_BUNDLE_SIZE"):
        folder(tmp_path, most_bytes=4096).scan()


def test_a_missing_folder_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match=r"No such file.*FLOWD__DAGS__FOLDER"):
        folder(tmp_path / "absent").scan()


def test_a_name_that_is_not_utf8_and_a_path_that_is_too_long_are_problems(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py")).write_text(DAG)
    deep = tmp_path.joinpath(*["d" * 200] * 3)
    deep.mkdir(parents=True)
    (deep / "etl.py").write_text(DAG)

    snapshot = folder(tmp_path).scan()

    assert snapshot.files == {}
    assert sorted(text.split(" ")[1:3] for text in snapshot.problems.values()) == [["is", "a"], ["is", "no"]]


def test_a_change_is_seen_even_where_size_and_time_are_the_same(tmp_path: Path) -> None:
    dags = folder(tmp_path)
    seen = []
    for number in range(100):
        write(tmp_path, {"etl.py": f"{DAG}{number:03}"})
        os.utime(tmp_path / "etl.py", (0, 0))
        seen.append(dags.scan().manifest["etl.py"])

    assert len(set(seen)) == 100


def test_contents_are_those_of_the_scan_even_if_the_file_changed_since(tmp_path: Path) -> None:
    dags = folder(tmp_path)
    write(tmp_path, {"etl.py": DAG})
    snapshot = dags.scan()
    write(tmp_path, {"etl.py": "changed"})

    assert list(dags.contents(snapshot.files.values()).values()) == [DAG.encode()]

    dags.forget_contents()
    with pytest.raises(FolderChanged):
        dags.contents(snapshot.files.values())


def test_a_thousand_unchanged_files_are_scanned_in_a_tenth_of_a_second(tmp_path: Path) -> None:
    long_ago = time.time() - 3600
    for number in range(1000):
        path = tmp_path / f"team{number % 20}" / f"etl{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(DAG)
        os.utime(path, (long_ago, long_ago))
    dags = folder(tmp_path)
    first = dags.scan()

    started = time.process_time()
    assert dags.scan() == first

    assert time.process_time() - started < at_pace(0.1)
