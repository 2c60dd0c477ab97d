"""ObjectStoragePath: like a path of pathlib, on this machine's files and on S3, opened when it is used."""

import copy
import json
import pickle
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from flowd import DAG
from flowd.sdk import object_store, provider_packages
from flowd.sdk.exceptions import AirflowConfigException, AirflowException, AirflowNotFoundException
from flowd.sdk.object_path import ObjectStoragePath
from flowd.sdk.object_store import attach, get_fs, has_fs
from flowd.sdk.s3_options import s3_options
from flowd.sdk.supervisor import supervised_by
from flowd.sdk.templates import Renderer
from flowd.sdk.xcom_json import from_json, to_json
from tests.support.task_server import TaskServer


@pytest.fixture(autouse=True)
def nothing_is_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "_attached", {})


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStoragePath:
    """A bucket that is not there yet, by a connection `minio`."""
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MINIO", json.dumps(connection))
    return ObjectStoragePath(f"s3://minio@test-{secrets.token_hex(6)}")


@pytest.fixture(params=["file", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStoragePath:
    """A folder of each kind that is not there yet."""
    if request.param == "file":
        return ObjectStoragePath(f"file://{tmp_path}/data")
    made: ObjectStoragePath = request.getfixturevalue("bucket")
    return made


def names(paths: Any) -> list[str]:
    return sorted(path.name for path in paths)


@pytest.mark.parametrize(
    ("text", "bucket", "key", "path", "conn_id"),
    [
        ("s3://minio@bucket/a/b.csv", "bucket", "a/b.csv", "bucket/a/b.csv", "minio"),
        ("s3://bucket/", "bucket", "", "bucket/", None),
        ("s3://aws%2Fprod@bucket/a/", "bucket", "a/", "bucket/a/", "aws/prod"),
        ("file:///data/b.csv", "", "data/b.csv", "/data/b.csv", None),
        ("/data/b.csv", "", "data/b.csv", "/data/b.csv", None),
        ("data/b.csv", "", "data/b.csv", "data/b.csv", None),
    ],
)
def test_a_url_is_taken_apart(text: str, bucket: str, key: str, path: str, conn_id: str | None) -> None:
    location = ObjectStoragePath(text)

    assert (location.bucket, location.key, location.path, location.conn_id) == (bucket, key, path, conn_id)
    assert ObjectStoragePath(str(location)) == location


def test_it_is_joined_and_taken_apart_like_a_path() -> None:
    base = ObjectStoragePath("s3://bucket/in", conn_id="minio", anon=True)

    made = base / "2026" / "rows.csv.gz"

    assert str(made) == "s3://minio@bucket/in/2026/rows.csv.gz"
    assert (made.name, made.stem, made.suffix, made.suffixes) == ("rows.csv.gz", "rows.csv", ".gz", [".csv", ".gz"])
    assert made.parts == ("bucket/", "in", "2026", "rows.csv.gz")
    assert [str(one) for one in made.parents] == [f"s3://minio@bucket/{key}" for key in ("in/2026", "in", "")]
    assert str(made.with_name("x").with_suffix(".txt")) == "s3://minio@bucket/in/2026/x.txt"
    assert made.with_stem("y").name == "y.gz"
    assert (made.relative_to(base).as_posix(), made.is_relative_to("s3://bucket/in")) == ("2026/rows.csv.gz", False)
    assert (made.conn_id, made.storage_options, made.match("*.gz")) == ("minio", {"anon": True}, True)
    assert base.joinpath("/", "a").key == "in/a"
    assert (ObjectStoragePath("/data") / "/etc").path == "/etc"
    with pytest.raises(ValueError, match=r"s3://minio@bucket/in is not below s3://minio@other/"):
        base.relative_to("s3://minio@other")


def test_equal_paths_are_equal_wherever_they_were_made() -> None:
    path = ObjectStoragePath("s3://minio@bucket/a")

    same = [ObjectStoragePath(path), ObjectStoragePath("s3://bucket/a", conn_id="minio"), copy.deepcopy(path)]
    same += [pickle.loads(pickle.dumps(path)), ObjectStoragePath.deserialize(path.serialize(), 1)]  # noqa: S301

    assert {path, *same} == {path}
    assert path != ObjectStoragePath("s3://bucket/a")
    assert sorted([path / "b", path]) == [path, path / "b"]


def test_a_file_is_written_read_and_deleted(root: ObjectStoragePath) -> None:
    root.mkdir()
    path = root / "in" / "note.txt"
    path.parent.mkdir(parents=True)

    path.write_text("Grüße")
    with path.open("rb") as file:
        beginning = file.read(3)

    assert (path.read_text(), beginning, path.size(), path.stat().st_size) == ("Grüße", b"Gr\xc3", 7, 7)
    assert (path.exists(), path.is_file(), path.is_dir(), path.parent.is_dir()) == (True, True, False, True)
    assert path.read_block(2, 2) == "ü".encode()
    assert path.stat().st_mtime > 1.7e9
    path.unlink()
    path.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        path.unlink()
    with pytest.raises(FileNotFoundError):
        path.read_bytes()


def test_what_is_in_a_folder_is_found(root: ObjectStoragePath) -> None:
    for name in ("a.csv", "b.txt", "deep/c.csv"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")

    assert names(root.iterdir()) == ["a.csv", "b.txt", "deep"]
    assert names(root.glob("*.csv")) == ["a.csv"]
    assert names(root.rglob("*.csv")) == ["a.csv", "c.csv"]
    assert {(folder.name, *sorted(files)) for folder, _, files in root.walk()} >= {("deep", "c.csv")}
    assert {path.conn_id for path in root.iterdir()} == {root.conn_id}
    with pytest.raises(NotADirectoryError, match=r"a\.csv is a file"):
        list((root / "a.csv").iterdir())


def test_folders_are_made_and_removed(root: ObjectStoragePath) -> None:
    root.mkdir()

    root.mkdir(exist_ok=True)
    with pytest.raises(FileExistsError):
        root.mkdir()
    (root / "in" / "deep").mkdir(parents=True)
    (root / "in" / "deep" / "x").touch()
    (root / "in" / "deep" / "x").touch()
    with pytest.raises(FileExistsError):
        (root / "in" / "deep" / "x").touch(exist_ok=False)

    (root / "in").rmdir(recursive=True)
    assert names(root.iterdir()) == []
    with pytest.raises(NotADirectoryError):
        (root / "in").rmdir()


def test_files_go_from_one_store_to_another(tmp_path: Path, bucket: ObjectStoragePath) -> None:
    here, there = ObjectStoragePath(f"file://{tmp_path}"), bucket / "in/"
    bucket.mkdir()
    (here / "rows" / "deep").mkdir(parents=True)
    (here / "rows" / "deep" / "a.csv").write_text("a")

    copied = (here / "rows").copy(there)
    moved = (here / "rows" / "deep" / "a.csv").move(there / "b.csv")
    renamed = moved.rename("c.csv")
    back = renamed.copy_into(here)

    assert (copied, (there / "deep" / "a.csv").read_text()) == (there, "a")
    assert (renamed, moved.exists()) == (bucket / "in" / "c.csv", False)
    assert (back.path, back.read_text()) == (f"{tmp_path}/c.csv", "a")
    assert not (here / "rows" / "deep" / "a.csv").exists()
    assert there.copy(here / "all", recursive=True).is_dir()
    with pytest.raises(IsADirectoryError, match=r"is a folder: copy\(…, recursive=True\)"):
        there.copy(here / "none", recursive=False)
    with pytest.raises(NotADirectoryError):
        renamed.move_into(here / "c.csv")


def test_a_file_of_this_machine_is_moved_in_one_step(tmp_path: Path) -> None:
    path = ObjectStoragePath(tmp_path / "a")
    path.write_text("new")
    (tmp_path / "b").write_text("old")
    inode = path.stat().st_ino

    moved = path.replace(tmp_path / "b")

    assert (moved.path, moved.read_text(), moved.stat().st_ino) == (str(tmp_path / "b"), "new", inode)


def test_an_object_of_another_process_is_seen_at_once(bucket: ObjectStoragePath) -> None:
    bucket.mkdir()
    assert names(bucket.iterdir()) == []

    code = "import sys; from flowd.sdk.object_path import ObjectStoragePath as P; P(sys.argv[1]).touch()"
    subprocess.run([sys.executable, "-c", code, str(bucket / "late")], check=True)

    assert (bucket / "late").exists()
    assert names(bucket.iterdir()) == ["late"]


def test_it_is_an_xcom_and_its_text_is_a_template() -> None:
    path = ObjectStoragePath("s3://minio@bucket/{{ ds }}.csv", use_ssl=False)

    rendered = Renderer(DAG("d", schedule=None), {"ds": "2026-01-31"}).render({"path": [path]})["path"][0]
    restored = from_json(json.loads(json.dumps(to_json({"path": rendered}))))["path"]

    assert (str(restored), restored.storage_options) == ("s3://minio@bucket/2026-01-31.csv", {"use_ssl": False})


@pytest.mark.parametrize("name", ["key", "secret", "account_key", "password"])
def test_a_path_with_a_secret_is_no_xcom(name: str) -> None:
    with pytest.raises(TypeError, match=rf"value is an ObjectStoragePath with '{name}'.* put it into a connection"):
        to_json(ObjectStoragePath("s3://bucket/a", **{name: "x"}))


def test_the_default_connection_need_not_exist(caplog: pytest.LogCaptureFixture) -> None:
    with supervised_by(TaskServer()):
        assert s3_options("aws_default") == {}
        with pytest.raises(AirflowNotFoundException, match="'other' does not exist"):
            s3_options("other")

    assert "S3 is asked with the machine's own credentials" in caplog.text


def test_what_a_connection_says_of_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {
        "region_name": "eu-central-1",
        "aws_session_token": "t",
        "service_config": {"s3": {"endpoint_url": "http://e"}},
    }
    monkeypatch.setenv("AIRFLOW_CONN_A", json.dumps({"conn_type": "aws", "extra": {**extra, "profile_name": "p"}}))
    monkeypatch.setenv("AIRFLOW_CONN_R", json.dumps({"conn_type": "aws", "extra": {"role_arn": "arn:x"}}))

    assert s3_options("a") == {
        "token": "t",
        "profile": "p",
        "endpoint_url": "http://e",
        "client_kwargs": {"region_name": "eu-central-1"},
    }
    with pytest.raises(AirflowConfigException, match=r"'r' has 'role_arn', .*apache-airflow-providers-amazon"):
        s3_options("r")


def test_a_file_system_of_the_authors_own_is_used() -> None:
    memory = fsspec.filesystem("memory")
    attach("mine", fs=memory)

    (ObjectStoragePath("mine://box") / "a").write_text("kept")

    assert memory.cat("/box/a") == b"kept"
    assert (has_fs("mine"), has_fs("file"), has_fs("neverheardof")) == (True, True, False)
    assert attach(alias="mine").fs is memory
    with pytest.raises(ValueError, match="no store is attached as 'other'"):
        attach(alias="other")


@pytest.mark.parametrize("opens", [lambda conn_id: conn_id, lambda conn_id, options: conn_id])
def test_an_installed_provider_opens_its_protocol(opens: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "file_systems", lambda: {"acme": opens})

    assert get_fs("acme", "acme_default") == "acme_default"


def test_the_file_systems_of_providers_are_those_they_tell_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "acme_fs.py").write_text("schemes = ['acme', 'acmes']\ndef get_fs(conn_id): return conn_id\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(provider_packages, "_told", lambda: [{"filesystems": ["acme_absent", "acme_fs"]}])
    provider_packages.file_systems.cache_clear()

    found = provider_packages.file_systems()
    provider_packages.file_systems.cache_clear()

    assert sorted(found) == ["acme", "acmes"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("gs://google@bucket/a", r"gs://google@: flowd itself knows connections of s3 only; install the provider"),
        ("neverheardof://bucket/a", r"neverheardof:// cannot be opened: Protocol not known"),
    ],
)
def test_what_cannot_be_opened_says_why(url: str, message: str) -> None:
    with pytest.raises(AirflowException, match=message):
        ObjectStoragePath(url).exists()


@pytest.mark.parametrize(("url", "absent"), [("file:///etc", "fsspec"), ("s3://bucket/a", "s3fs")])
def test_without_the_libraries_a_path_can_be_made_but_not_opened(url: str, absent: str) -> None:
    code = (
        f"import sys; sys.modules[{absent!r}] = None\n"
        "from flowd.compat import install; install()\n"
        "from airflow.sdk import ObjectStoragePath\n"
        f"path = ObjectStoragePath({url!r}) / 'x'\n"
        "try: path.exists()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout

    assert "AirflowException" in said
    assert "install 'flowd[objects]', which is fsspec and s3fs, where workers run" in said


def test_a_store_is_opened_anew_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(object_store, "get_fs", lambda *_: opened.append(object()) or opened[-1])  # type: ignore[func-returns-value]
    path = ObjectStoragePath("file:///data")
    assert path.fs is (path / "a").fs

    monkeypatch.setattr("os.getpid", lambda: 1)
    path.fs  # noqa: B018

    assert len(opened) == 2
