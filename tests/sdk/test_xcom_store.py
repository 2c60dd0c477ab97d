"""XComs beside the metastore: large values are stored where all workers reach them, and come back whole or not."""

import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowd.domain.mappable import length_of
from flowd.domain.stored_value import COMPRESSION_VARIABLE, PATH_VARIABLE, THRESHOLD_VARIABLE, StoredValue
from flowd.sdk import object_store
from flowd.sdk.exceptions import AirflowConfigException, AirflowException
from flowd.sdk.object_path import ObjectStoragePath
from flowd.sdk.xcom_json import from_json, to_json
from flowd.sdk.xcom_store import XComStore

WHO = ("etl", "manual__2026-01-31T00:00:00+00:00", "load", 3)


@pytest.fixture
def store(tmp_path: Path) -> XComStore:
    return XComStore(folder=f"file://{tmp_path}/store", threshold_bytes=100)


def stored(document: Any) -> StoredValue:
    found = StoredValue.from_json(document)
    assert found is not None
    return found


def file_of(document: Any) -> Path:
    return Path(stored(document).url.removeprefix("file://"))


@pytest.mark.parametrize(("characters", "is_stored"), [(97, False), (98, True)])
def test_a_value_is_stored_from_the_threshold_on(store: XComStore, characters: int, is_stored: bool) -> None:
    document = store.kept("x" * characters, *WHO)

    assert (StoredValue.from_json(document) is not None) is is_stored
    assert from_json(json.loads(json.dumps(document))) == "x" * characters


def test_nothing_is_never_stored(store: XComStore) -> None:
    assert XComStore(folder=store.folder, threshold_bytes=0).kept(None, *WHO) is None


@pytest.mark.parametrize("compression", ["", "gzip", "bz2", "xz"])
def test_a_stored_value_comes_back_with_its_types(store: XComStore, compression: str) -> None:
    value = {"pairs": [("ä", index) for index in range(50)], "set": {1, 2}, "half": "\ud800"}
    store = XComStore(folder=store.folder, threshold_bytes=100, compression=compression)

    document = store.kept(to_json(value), *WHO)

    assert from_json(document) == value
    assert stored(document).bytes == len(json.dumps(to_json(value), separators=(",", ":")))
    assert (file_of(document).stat().st_size < stored(document).bytes) is bool(compression)
    assert file_of(document).relative_to(store.folder.removeprefix("file://")).parts[:3] == (
        "etl",
        "manual__2026-01-31T00:00:00+00:00",
        "load~3",
    )


@pytest.mark.parametrize(("value", "length"), [([1] * 99, 99), ({str(n): n for n in range(9)}, 9), ("x" * 99, None)])
def test_a_reference_knows_how_many_items_its_value_has(store: XComStore, value: Any, length: int | None) -> None:
    document = XComStore(folder=store.folder, threshold_bytes=0).kept(to_json(value), *WHO)

    assert length_of(document) == length


def test_s3_keeps_values_without_any_folder_being_made(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "_attached", {})
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MINIO", json.dumps(connection))
    bucket = ObjectStoragePath(f"s3://minio@test-{secrets.token_hex(6)}/")
    bucket.mkdir()
    store = XComStore(folder=f"{bucket}xcoms/", threshold_bytes=100, compression="gzip")

    document = store.kept(["x" * 200], *WHO)

    assert from_json(document) == ["x" * 200]
    (path,) = bucket.rglob("*.json.gz")
    assert str(path) == stored(document).url
    path.unlink()
    with pytest.raises(AirflowException, match="an XCom value of 204 bytes is not at s3://minio@test-"):
        from_json(document)


def test_another_value_in_its_place_is_refused(store: XComStore) -> None:
    document = store.kept("x" * 200, *WHO)

    file_of(document).write_text('"another"')

    with pytest.raises(AirflowException, match=r"what is at file:///.* is not the XCom value that was stored there"):
        from_json(document)


def test_a_file_that_is_cut_off_is_refused(store: XComStore) -> None:
    document = XComStore(folder=store.folder, threshold_bytes=0, compression="gzip").kept("x" * 200, *WHO)

    file_of(document).write_bytes(file_of(document).read_bytes()[:-5])

    with pytest.raises(AirflowException, match="an XCom value cannot be read from file:///"):
        from_json(document)


def test_a_value_that_is_gone_says_where_it_was(store: XComStore) -> None:
    document = store.kept("x" * 200, *WHO)

    file_of(document).unlink()

    with pytest.raises(
        AirflowException, match=r"of 202 bytes is not at file:///.*: it was deleted, or this worker sees"
    ):
        from_json(document)


def test_a_store_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")

    with pytest.raises(AirflowException, match=r"cannot be stored at file://.*/store/etl/.*: \[Errno 20\]"):
        XComStore(folder=f"file://{tmp_path}/store", threshold_bytes=0).kept("x", *WHO)


def test_names_of_a_dag_and_a_run_do_not_lead_out_of_the_store(store: XComStore) -> None:
    document = store.kept("x" * 200, "..", "../../etc", "a/b", -1)

    folder = Path(store.folder.removeprefix("file://"))
    assert file_of(document).resolve().is_relative_to(folder)
    assert file_of(document).relative_to(folder).parts[:3] == ("%2E.", "%2E.%2F..%2Fetc", "a%2Fb")


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, None),
        ({PATH_VARIABLE: "s3://b"}, None),
        ({PATH_VARIABLE: "s3://b", THRESHOLD_VARIABLE: "-1"}, None),
        ({THRESHOLD_VARIABLE: "0"}, None),
        ({PATH_VARIABLE: "s3://b", THRESHOLD_VARIABLE: "0"}, XComStore(folder="s3://b", threshold_bytes=0)),
        (
            {PATH_VARIABLE: "s3://b", THRESHOLD_VARIABLE: "9", COMPRESSION_VARIABLE: "xz"},
            XComStore(folder="s3://b", threshold_bytes=9, compression="xz"),
        ),
    ],
)
def test_airflows_variables_count_as_they_do_there(environ: dict[str, str], wanted: XComStore | None) -> None:
    assert XComStore.of(environ) == wanted


def test_a_compression_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AirflowConfigException, match="cannot be compressed with 'snappy'; wanted one of gzip, bz2, xz"):
        XComStore(folder=f"file://{tmp_path}", threshold_bytes=0, compression="snappy").kept(1, *WHO)


def test_a_folder_needs_no_library(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fsspec'] = None\n"
        "from flowd.sdk.xcom_json import from_json\n"
        "from flowd.sdk.xcom_store import kept\n"
        "print(from_json(kept([1, 2], 'd', 'r', 't', -1)))"
    )
    environ = {PATH_VARIABLE: f"file://{tmp_path}", THRESHOLD_VARIABLE: "0"}

    said = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, check=True, text=True).stdout

    assert said.strip() == "[1, 2]"
    assert len(list(tmp_path.rglob("*.json"))) == 1
