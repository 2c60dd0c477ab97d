"""Bundles on a worker's disk: fetched once, complete, true to their hash, and not too many."""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from flowd.db import bundles
from flowd.db.metastore import Metastore
from flowd.domain.errors import NotFound
from flowd.domain.ids import BundleHash
from flowd.roles.bundle_cache import MARKER, BadBundle, BundleCache
from tests.support.metastores import a_metastore
from tests.support.specs import NOW

FILES = {"etl.py": b"print(1)\n", "lib/deep/query.sql": b"SELECT 1"}


@pytest.fixture
async def metastore(tmp_path: Path) -> AsyncIterator[Metastore]:
    async with a_metastore(f"sqlite:///{tmp_path}/flowd.db") as empty:
        yield empty


async def store(metastore: Metastore, files: Mapping[str, bytes]) -> BundleHash:
    manifest = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    packed = {manifest[path]: bundles.pack(content) for path, content in files.items()}
    async with metastore.transaction() as tx:
        return await bundles.store(tx, manifest, packed, size_bytes=0, now=NOW)


async def lose_everything(metastore: Metastore) -> None:
    async with metastore.transaction() as tx:
        await tx.execute("DELETE FROM bundle")
        await tx.execute("DELETE FROM bundle_content")


def read(folder: str) -> dict[str, bytes]:
    files = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def checks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowd.roles.bundle_cache.CHECK_SECONDS", -1.0)


async def test_a_bundle_is_a_folder_with_its_files_read_only(metastore: Metastore, tmp_path: Path) -> None:
    hash_ = await store(metastore, FILES)

    folder = await BundleCache(metastore, tmp_path / "bundles").path(hash_)

    assert folder == str(tmp_path / "bundles" / hash_)
    assert read(folder) == FILES
    assert {os.stat(f"{folder}/{path}").st_mode & 0o777 for path in FILES} == {0o444}


async def test_it_is_fetched_once_even_after_a_restart(metastore: Metastore, tmp_path: Path) -> None:
    hash_ = await store(metastore, FILES)
    cache = BundleCache(metastore, tmp_path / "bundles")
    folders = await asyncio.gather(*(cache.path(hash_) for _ in range(5)))
    await lose_everything(metastore)

    assert set(folders) == {await cache.path(hash_), await BundleCache(metastore, tmp_path / "bundles").path(hash_)}


async def test_an_interrupted_fetch_is_done_again(metastore: Metastore, tmp_path: Path) -> None:
    hash_ = await store(metastore, FILES)
    folder = Path(await BundleCache(metastore, tmp_path / "bundles").path(hash_))
    (folder / MARKER).unlink()
    (folder / "etl.py").unlink()
    (tmp_path / "bundles/.new-leftover").mkdir()

    assert read(await BundleCache(metastore, tmp_path / "bundles").path(hash_)) == FILES
    assert [path.name for path in (tmp_path / "bundles").iterdir()] == [hash_]


async def test_files_that_a_task_removed_or_changed_are_put_right(
    metastore: Metastore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks_always(monkeypatch)
    hash_ = await store(metastore, FILES)
    cache = BundleCache(metastore, tmp_path / "bundles")
    folder = Path(await cache.path(hash_))
    secret = tmp_path / "outside"
    secret.mkdir()

    shutil.rmtree(folder / "lib")
    (folder / "lib").symlink_to(secret)
    (folder / "etl.py").chmod(0o644)
    (folder / "etl.py").write_bytes(b"print(2)\n")

    assert read(await cache.path(hash_)) == FILES
    assert list(secret.iterdir()) == [], "no write followed the link out of the bundle"


async def test_what_another_bundle_has_already_is_not_fetched_again(metastore: Metastore, tmp_path: Path) -> None:
    cache = BundleCache(metastore, tmp_path / "bundles")
    await cache.path(await store(metastore, FILES))
    changed = FILES | {"etl.py": b"print(2)\n"}
    hash_ = await store(metastore, changed)
    async with metastore.transaction() as tx:
        await tx.execute(
            "DELETE FROM bundle_content WHERE hash = :hash",
            {"hash": hashlib.sha256(FILES["lib/deep/query.sql"]).hexdigest()},
        )

    assert read(await cache.path(hash_)) == changed


@pytest.mark.parametrize("path", ["/etc/passwd", "../up.py", "a/../../up.py", "a//b", "./a", "", "..", "a\\b", MARKER])
async def test_a_path_that_leads_out_of_the_folder_is_refused(metastore: Metastore, tmp_path: Path, path: str) -> None:
    hash_ = await store(metastore, {path: b"evil"})

    with pytest.raises(BadBundle, match="outside"):
        await BundleCache(metastore, tmp_path / "bundles").path(hash_)

    assert read(str(tmp_path / "bundles")) == {}


async def test_a_content_or_manifest_that_was_altered_is_refused(metastore: Metastore, tmp_path: Path) -> None:
    hash_ = await store(metastore, {"etl.py": b"good"})
    cache = BundleCache(metastore, tmp_path / "bundles")
    async with metastore.transaction() as tx:
        await tx.execute("UPDATE bundle_content SET content = :evil", {"evil": bundles.pack(b"evil")})
    with pytest.raises(BadBundle, match="content"):
        await cache.path(hash_)

    evil = hashlib.sha256(b"evil").hexdigest()
    async with metastore.transaction() as tx:
        await tx.execute("UPDATE bundle SET manifest = :manifest", {"manifest": json.dumps({"etl.py": evil})})
    with pytest.raises(BadBundle, match="manifest"):
        await cache.path(hash_)


async def test_an_unknown_bundle_is_not_found_and_a_name_that_is_no_hash_is_refused(
    metastore: Metastore, tmp_path: Path
) -> None:
    cache = BundleCache(metastore, tmp_path / "bundles")

    with pytest.raises(NotFound):
        await cache.path(BundleHash("0" * 64))
    with pytest.raises(BadBundle):
        await cache.path(BundleHash("../../etc"))


async def test_bundles_used_longest_ago_go_first_and_held_ones_never(
    metastore: Metastore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks_always(monkeypatch)
    cache = BundleCache(metastore, tmp_path / "bundles", most_bytes=3000)
    a, b, c, d = [await store(metastore, {"f": name * 1000}) for name in (b"a", b"b", b"c", b"d")]
    async with cache.hold(a):
        for bundle in (b, c, b, d):
            await cache.path(bundle)

        assert {path.name for path in (tmp_path / "bundles").iterdir()} == {a, b, d}
    assert read(await cache.path(c)) == {"f": b"c" * 1000}
    assert {path.name for path in (tmp_path / "bundles").iterdir()} == {b, c, d}
