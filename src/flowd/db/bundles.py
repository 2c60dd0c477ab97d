"""Bundles: the files of a DAG folder at one moment, stored once by content, and named by the hash of their manifest."""

import hashlib
import json
import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from flowd.db.moments import to_db
from flowd.db.tables import bundle, bundle_content
from flowd.db.transaction import Transaction
from flowd.domain.errors import Conflict, NotFound
from flowd.domain.ids import BundleHash

Manifest = Mapping[str, str]
"""sha256 in hex of each file's bytes, by its path relative to the folder, with slashes."""

CHUNK_BYTES = 4 * 1024 * 1024
"""The most that goes into one row or one statement: MariaDB takes packets of 16 MiB, and half of it may be escapes."""

_CHUNK_ROWS = 200
_HASH = re.compile(r"\b[0-9a-f]{64}\b")


def canonical(manifest: Manifest) -> str:
    """Return the manifest as the one JSON text that is stored and hashed."""
    return json.dumps(dict(manifest), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def bundle_hash(manifest: Manifest) -> BundleHash:
    """Return sha256 in hex of the canonical manifest."""
    return BundleHash(hashlib.sha256(canonical(manifest).encode()).hexdigest())


def pack(content: bytes) -> bytes:
    """Return the content as it is stored."""
    return zlib.compress(content)


def unpack(packed: bytes) -> bytes:
    """Return what `pack` was given; raise zlib.error for anything else."""
    return zlib.decompress(packed)


async def has_bundle(tx: Transaction, hash_: BundleHash, now: datetime) -> bool:
    """Say whether the bundle is stored, complete; and if so count it as made now, so that no cleaning takes it."""
    touched = await tx.execute(
        "UPDATE bundle SET created_at = :now WHERE hash = :hash", {"hash": hash_, "now": to_db(now)}
    )
    return touched.rowcount > 0


async def missing_contents(tx: Transaction, hashes: Iterable[str], *, lock: bool = False) -> set[str]:
    """Return those of `hashes` whose content is not stored; with `lock`, nobody deletes the others meanwhile."""
    wanted = set(hashes)
    rows = await tx.execute(
        f"SELECT hash FROM bundle_content WHERE hash IN {tx.dialect.keys(type_='text')}"
        f" ORDER BY hash{tx.dialect.for_share if lock else ''}",
        {"keys": json.dumps(sorted(wanted))},
    )
    return wanted - {hash_ for (hash_,) in rows}


async def delete_unused_contents(tx: Transaction) -> int:
    """Delete the contents that no bundle names, and return how many: none that a bundle stored meanwhile is to share.

    Whoever stores a bundle inserts its row first and then locks the contents it shares: so once these are locked here,
    its row is there to be read, or it will find them missing.
    """
    stored = {hash_ for (hash_,) in await tx.execute("SELECT hash FROM bundle_content")}
    unused = sorted(stored - await _named(tx))
    await tx.execute(
        f"SELECT hash FROM bundle_content WHERE hash IN {tx.dialect.keys(type_='text')}"
        f" ORDER BY hash{tx.dialect.for_update}",
        {"keys": json.dumps(unused)},
    )
    unused = sorted(set(unused) - await _named(tx))
    deleted = await tx.execute(
        f"DELETE FROM bundle_content WHERE hash IN {tx.dialect.keys(type_='text')}", {"keys": json.dumps(unused)}
    )
    return deleted.rowcount


async def _named(tx: Transaction) -> set[str]:
    """Return the contents that stand in some manifest, whatever the manifest's form."""
    manifests = await tx.execute("SELECT manifest FROM bundle")
    parsed = await tx.execute("SELECT parsed FROM pushed_version UNION SELECT parsed FROM bundle_plan")
    return {found for (manifest,) in manifests for found in _HASH.findall(manifest)} | {one for (one,) in parsed}


async def store(
    tx: Transaction, manifest: Manifest, packed: Mapping[str, bytes], *, size_bytes: int, now: datetime
) -> BundleHash:
    """Insert the contents in `packed` (by the hash of the plain bytes) and the bundle; return its hash.

    Raises Conflict where somebody else is storing some of it at this moment: try again with what is missing then. Also
    raises Conflict where the manifest names a content that is neither stored nor in `packed`.
    """
    hash_ = bundle_hash(manifest)
    row = {"hash": hash_, "manifest": canonical(manifest), "size_bytes": size_bytes, "created_at": to_db(now)}
    try:
        # The bundle before its contents: delete_unused_contents says why.
        if not await has_bundle(tx, hash_, now):
            await tx.execute(insert(bundle).values(row))
        await store_contents(tx, manifest.values(), packed)
    except IntegrityError as error:
        raise Conflict(f"bundle {hash_} is being stored by another node at this moment") from error
    return hash_


async def store_contents(tx: Transaction, hashes: Iterable[str], packed: Mapping[str, bytes]) -> None:
    """Insert those of `hashes` that are not stored yet; raise Conflict as `store` does.

    What keeps them, a bundle or a plan, must be a row of the same transaction, written before.
    """
    missing = await missing_contents(tx, hashes, lock=True)
    if absent := missing - packed.keys():
        raise Conflict(f"{len(absent)} contents of the bundle are not stored any more: store them with it")
    try:
        for chunk in _chunks({each: packed[each] for each in sorted(missing)}):
            await tx.execute(insert(bundle_content), chunk)
    except IntegrityError as error:
        raise Conflict("some of the contents are being stored by another node at this moment") from error


async def fetch_manifest(tx: Transaction, hash_: BundleHash) -> dict[str, str]:
    """Return the bundle's manifest; raise NotFound."""
    found = (await tx.execute("SELECT manifest FROM bundle WHERE hash = :hash", {"hash": hash_})).scalar_one_or_none()
    if found is None:
        raise NotFound(f"bundle {hash_} is not in the metastore: no run that began with it can go on")
    manifest: dict[str, str] = json.loads(found)
    return manifest


async def fetch_packed(tx: Transaction, hashes: Collection[str]) -> dict[str, bytes]:
    """Return these contents as they are stored, by hash; raise NotFound where one is missing."""
    found: dict[str, bytes] = {}
    wanted = sorted(set(hashes))
    for start in range(0, len(wanted), _CHUNK_ROWS):
        rows = await tx.execute(
            f"SELECT hash, content FROM bundle_content WHERE hash IN {tx.dialect.keys(type_='text')}"
            " ORDER BY hash, part",
            {"keys": json.dumps(wanted[start : start + _CHUNK_ROWS])},
        )
        parts: dict[str, list[bytes]] = {}
        for hash_, content in rows:
            parts.setdefault(hash_, []).append(bytes(content))
        found |= {hash_: b"".join(contents) for hash_, contents in parts.items()}
    if absent := set(wanted) - found.keys():
        raise NotFound(f"{len(absent)} contents of a bundle are not in the metastore, {min(absent)} for one")
    return found


def _chunks(packed: Mapping[str, bytes]) -> Iterable[list[dict[str, Any]]]:
    """Cut into rows, and these into statements, of a size that servers and drivers take."""
    chunk: list[dict[str, Any]] = []
    held = 0
    for hash_, content in packed.items():
        for part, start in enumerate(range(0, len(content), CHUNK_BYTES)):
            piece = content[start : start + CHUNK_BYTES]
            if chunk and (held + len(piece) > CHUNK_BYTES or len(chunk) >= _CHUNK_ROWS):
                yield chunk
                chunk, held = [], 0
            chunk.append({"hash": hash_, "part": part, "content": piece})
            held += len(piece)
    if chunk:
        yield chunk
