"""Bundles in the metastore: named by their content, stored once, whoever stores them."""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import timedelta

import pytest

from flowd.db import bundles
from flowd.db.dialect import Kind
from flowd.db.metastore import Metastore
from flowd.db.tables import bundle_content
from flowd.domain.errors import Conflict, NotFound
from flowd.domain.ids import BundleHash
from tests.support.ledger_fixtures import OpenSite
from tests.support.specs import NOW


def manifest_of(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


async def store(metastore: Metastore, files: Mapping[str, bytes]) -> BundleHash:
    packed = {hashlib.sha256(content).hexdigest(): bundles.pack(content) for content in files.values()}
    async with metastore.transaction() as tx:
        size = sum(map(len, files.values()))
        return await bundles.store(tx, manifest_of(files), packed, size_bytes=size, now=NOW)


async def count_contents(metastore: Metastore) -> int:
    async with metastore.reading() as tx:
        return len((await tx.execute(bundle_content.select())).all())


async def test_what_is_stored_comes_back(metastore: Metastore) -> None:
    files = {"etl.py": b"print(1)\n", "sql/query ä.sql": b"SELECT 1;\0\xff" * 1000, "empty": b""}

    hash_ = await store(metastore, files)

    async with metastore.reading() as tx:
        manifest = await bundles.fetch_manifest(tx, hash_)
        packed = await bundles.fetch_packed(tx, manifest.values())
    assert {path: bundles.unpack(packed[each]) for path, each in manifest.items()} == files
    assert hash_ == bundles.bundle_hash(manifest_of(files))


async def test_a_bundle_is_named_by_its_files_and_not_by_their_order() -> None:
    one = {"a.py": "1" * 64, "b.py": "2" * 64}

    assert bundles.bundle_hash(one) == bundles.bundle_hash(dict(reversed(one.items())))
    assert bundles.bundle_hash(one) != bundles.bundle_hash({"a.py": "2" * 64, "b.py": "1" * 64})


async def test_a_content_that_bundles_share_is_stored_once(metastore: Metastore) -> None:
    await store(metastore, {"a.py": b"same", "copy.py": b"same"})
    await store(metastore, {"a.py": b"same", "b.py": b"new"})
    await store(metastore, {"a.py": b"same", "b.py": b"new"})

    assert await count_contents(metastore) == 2


async def test_only_what_is_missing_must_be_given(metastore: Metastore) -> None:
    await store(metastore, {"a.py": b"old"})
    files = {"a.py": b"old", "b.py": b"new"}
    async with metastore.reading() as tx:
        missing = await bundles.missing_contents(tx, manifest_of(files).values())

    assert missing == {hashlib.sha256(b"new").hexdigest()}


async def test_a_bundle_whose_contents_were_cleaned_away_meanwhile_is_not_stored(metastore: Metastore) -> None:
    manifest = manifest_of({"a.py": b"gone"})

    with pytest.raises(Conflict, match="not stored any more"):
        async with metastore.transaction() as tx:
            await bundles.store(tx, manifest, {}, size_bytes=4, now=NOW)

    async with metastore.reading() as tx:
        with pytest.raises(NotFound):
            await bundles.fetch_manifest(tx, bundles.bundle_hash(manifest))


async def test_a_content_that_a_new_bundle_is_about_to_share_is_not_cleaned_away(open_server_site: OpenSite) -> None:
    metastore, other = open_server_site().metastore, open_server_site().metastore
    files = {"a.py": b"shared"}
    await store(metastore, files)
    async with metastore.transaction() as tx:
        await tx.execute("DELETE FROM bundle")

    async with metastore.transaction() as tx:
        await bundles.store(tx, manifest_of(files), {}, size_bytes=6, now=NOW)
        cleaning = asyncio.create_task(clean(other))
        await wait_for_locks(metastore, cleaning)

    assert await cleaning == 0
    async with metastore.reading() as tx:
        assert await bundles.missing_contents(tx, manifest_of(files).values()) == set()


async def clean(metastore: Metastore) -> int:
    async with metastore.transaction() as tx:
        return await bundles.delete_unused_contents(tx)


async def wait_for_locks(metastore: Metastore, waiter: asyncio.Task[int]) -> None:
    """Return once `waiter` waits for a lock, or is done without."""
    waiting = {
        Kind.POSTGRESQL: "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'",
        Kind.MYSQL: "SELECT 1 FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
        " ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() AND t.trx_state = 'LOCK WAIT'",
    }[metastore.dialect.kind]
    while not waiter.done():
        async with metastore.reading() as tx:
            if (await tx.execute(waiting)).first() is not None:
                return
        await asyncio.sleep(0.2)  # InnoDB shows the same again to whoever asks more often than every 0.1 s


async def test_a_bundle_that_is_stored_again_counts_as_new(metastore: Metastore) -> None:
    hash_ = await store(metastore, {"a.py": b"1"})

    async with metastore.transaction() as tx:
        assert await bundles.has_bundle(tx, hash_, NOW + timedelta(hours=1))

        made = (await tx.execute("SELECT created_at FROM bundle")).scalar_one()
    assert made == int((NOW + timedelta(hours=1)).timestamp() * 1_000_000)


async def test_many_and_large_contents_are_stored_in_chunks(metastore: Metastore) -> None:
    files = {f"{number}.py": b"%d" % number for number in range(450)} | {
        f"large{number}": hashlib.shake_256(b"%d" % number).digest(3 * 1024 * 1024) for number in range(2)
    }

    hash_ = await store(metastore, files)

    async with metastore.reading() as tx:
        manifest = await bundles.fetch_manifest(tx, hash_)
        packed = await bundles.fetch_packed(tx, manifest.values())
    assert len(packed) == len(files)


async def test_an_unknown_bundle_and_an_unknown_content_are_said_to_be_missing(metastore: Metastore) -> None:
    async with metastore.reading() as tx:
        with pytest.raises(NotFound, match="bundle"):
            await bundles.fetch_manifest(tx, BundleHash("0" * 64))
        with pytest.raises(NotFound, match="contents"):
            await bundles.fetch_packed(tx, ["0" * 64])
