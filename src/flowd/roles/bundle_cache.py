"""BundleCache: the bundles that this node has fetched, each a folder of its own, complete and true to its hash."""

import asyncio
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

import structlog

from flowd.db import bundles
from flowd.db.metastore import Metastore
from flowd.domain.errors import FlowdError
from flowd.domain.ids import BundleHash

log = structlog.get_logger(__name__)

MOST_BYTES = 2 * 1024**3
CHECK_SECONDS = 10.0
"""How long a bundle that was found whole is taken to be whole."""

MARKER = ".flowd-bundle"
"""The manifest with sizes, written last. No bundle has such a file: hidden files are left out of bundles."""

_MTIME_NS = 315_532_800 * 10**9
"""Every file of a bundle was changed in 1980: one that a task wrote to is told by its time."""

_NEW, _TRASH = ".new-", ".trash-"

Sizes = Mapping[str, tuple[str, int]]
"""Hash and size of each file."""


class BadBundle(FlowdError):
    """A bundle whose content is not what its hash says, or whose paths lead out of its folder."""


class BundleCache:
    """Fetches bundles by hash into `folder`, which belongs to this process alone, and keeps those used last.

    More than `most_bytes` are kept only where they are held. Files are read-only; one that was removed or changed
    nevertheless is put right again, at the latest CHECK_SECONDS after that for the next user.
    """

    def __init__(self, metastore: Metastore, folder: str | Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._metastore = metastore
        self._folder = Path(folder).absolute()
        self._most_bytes = most_bytes
        self._locks: defaultdict[BundleHash, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._writing = asyncio.Lock()
        self._holds: Counter[BundleHash] = Counter()
        self._checked_at: dict[BundleHash, float] = {}

    async def path(self, bundle_hash: BundleHash) -> str:
        """Return the bundle's folder, fetched where it is not here; concurrent callers share one fetch.

        Raises NotFound for an unknown bundle, BadBundle for one that is not true to its hash, MetastoreUnavailable and
        OSError where it cannot be fetched or written. What it returns may be evicted once others are used; see `hold`.
        """
        async with self._locks[bundle_hash]:
            checked_at = self._checked_at.get(bundle_hash)
            if checked_at is None or time.monotonic() - checked_at > CHECK_SECONDS:
                await self._provide(bundle_hash)
                self._checked_at[bundle_hash] = time.monotonic()
        return str(self._root(bundle_hash))

    @asynccontextmanager
    async def hold(self, bundle_hash: BundleHash) -> AsyncIterator[str]:
        """`path`, but never evicted within the context."""
        self._holds[bundle_hash] += 1
        try:
            yield await self.path(bundle_hash)
        finally:
            self._holds[bundle_hash] -= 1

    def _root(self, bundle_hash: BundleHash) -> Path:
        if len(bundle_hash) != 64 or not set(bundle_hash) <= set("0123456789abcdef"):
            raise BadBundle(f"{bundle_hash!r} is no bundle: wanted 64 hexadecimal digits")
        return self._folder / bundle_hash

    async def _provide(self, bundle_hash: BundleHash) -> None:
        root = self._root(bundle_hash)
        sizes = await asyncio.to_thread(_read_marker, root)
        if sizes is None:
            await self._fetch(bundle_hash, root)
            return
        damaged = await asyncio.to_thread(_damaged, root, sizes)
        if damaged:
            log.warning("bundle repaired", bundle=bundle_hash, files=sorted(damaged)[:10])
            contents = await self._contents({path: sizes[path][0] for path in damaged})
            await asyncio.to_thread(_write_files, root, contents)
        await asyncio.to_thread(_note_use, root)

    async def _fetch(self, bundle_hash: BundleHash, root: Path) -> None:
        async with self._metastore.reading() as tx:
            manifest = await bundles.fetch_manifest(tx, bundle_hash)
        if bundles.bundle_hash(manifest) != bundle_hash:
            raise BadBundle(f"the manifest of bundle {bundle_hash} has another hash: it was altered in the metastore")
        for path in manifest:
            _check_path(path)
        contents = await self._contents(manifest)
        async with self._writing:
            await asyncio.to_thread(self._make_room, sum(map(len, contents.values())))
            await asyncio.to_thread(_write_bundle, self._folder, root, manifest, contents)
        log.info("bundle fetched", bundle=bundle_hash, files=len(manifest))

    async def _contents(self, manifest: Mapping[str, str]) -> dict[str, bytes]:
        """Return the bytes of each path, verified: copied from bundles that are here already, else fetched."""
        found = await asyncio.to_thread(self._in_other_bundles, manifest)
        missing = {hash_ for path, hash_ in manifest.items() if path not in found}
        if missing:
            async with self._metastore.reading() as tx:
                packed = await bundles.fetch_packed(tx, missing)
            plain = await asyncio.to_thread(_unpack, packed)
            found |= {path: plain[hash_] for path, hash_ in manifest.items() if path not in found}
        return found

    def _in_other_bundles(self, manifest: Mapping[str, str]) -> dict[str, bytes]:
        """Look through the bundle that was used last: mostly a few files differ from it."""
        found: dict[str, bytes] = {}
        for neighbour in self._by_use()[:1]:
            sizes = _read_marker(neighbour) or {}
            for path, hash_ in manifest.items():
                if (
                    path in sizes
                    and sizes[path][0] == hash_
                    and (content := _read_true(neighbour / path, hash_)) is not None
                ):
                    found[path] = content
        return found

    def _by_use(self) -> list[Path]:
        """The bundles that are here, the one used last first."""
        markers = sorted(self._folder.glob(f"*/{MARKER}"), key=lambda marker: -marker.stat().st_mtime_ns)
        return [marker.parent for marker in markers]

    def _make_room(self, size: int) -> None:
        """Evict the bundles used longest ago, as many as it takes, and what an interrupted fetch left behind."""
        for leftover in (*self._folder.glob(f"{_NEW}*"), *self._folder.glob(f"{_TRASH}*")):
            shutil.rmtree(leftover, ignore_errors=True)
        kept = [(root, _size(root)) for root in self._by_use()]
        surplus = size + sum(each for _, each in kept) - self._most_bytes
        for root, freed in reversed(kept):
            bundle_hash = BundleHash(root.name)
            if surplus > 0 and not self._is_in_use(bundle_hash):
                self._evict(bundle_hash)
                surplus -= freed

    def _evict(self, bundle_hash: BundleHash) -> None:
        # First renamed, so that what is only half removed is never taken for a bundle.
        trash = tempfile.mkdtemp(prefix=_TRASH, dir=self._folder)
        os.rename(self._folder / bundle_hash, os.path.join(trash, bundle_hash))
        self._checked_at.pop(bundle_hash, None)
        shutil.rmtree(trash, ignore_errors=True)
        log.info("bundle evicted", bundle=bundle_hash)

    def _is_in_use(self, bundle_hash: BundleHash) -> bool:
        lock = self._locks.get(bundle_hash)
        return self._holds[bundle_hash] > 0 or (lock is not None and lock.locked())


def _check_path(path: str) -> None:
    parts = PurePosixPath(path).parts
    is_plain = bool(parts) and "/".join(parts) == path and ".." not in parts and "\\" not in path and "\0" not in path
    if not is_plain or path.startswith("/") or parts[0] == MARKER:
        raise BadBundle(f"a bundle names the file {path!r}, which would lie outside of its folder")


def _read_marker(root: Path) -> dict[str, tuple[str, int]] | None:
    try:
        document = json.loads((root / MARKER).read_bytes())
        return {path: (hash_, size) for path, (hash_, size) in document.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def _note_use(root: Path) -> None:
    # The kernel's own stamps are milliseconds coarse: two uses in one tick would have no order.
    os.utime(root / MARKER, ns=(time.time_ns(), time.time_ns()))


def _size(root: Path) -> int:
    return sum(size for _, size in (_read_marker(root) or {}).values())


def _damaged(root: Path, sizes: Sizes) -> list[str]:
    return [path for path, (_, size) in sizes.items() if not _is_untouched(root / path, size)]


def _is_untouched(path: Path, size: int) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size and status.st_mtime_ns == _MTIME_NS


def _read_true(path: Path, hash_: str) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == hash_ else None


def _unpack(packed: Mapping[str, bytes]) -> dict[str, bytes]:
    plain: dict[str, bytes] = {}
    for hash_, octets in packed.items():
        try:
            plain[hash_] = bundles.unpack(octets)
        except zlib.error as error:
            raise BadBundle(f"the content {hash_} cannot be unpacked: it was altered in the metastore") from error
        if hashlib.sha256(plain[hash_]).hexdigest() != hash_:
            raise BadBundle(f"the content {hash_} has another hash: it was altered in the metastore")
    return plain


def _write_bundle(folder: Path, root: Path, manifest: Mapping[str, str], contents: Mapping[str, bytes]) -> None:
    """Write a whole bundle beside its place, and move it there: it is never seen half."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=_NEW, dir=folder))
    try:
        _write_files(fresh, contents)
        sizes = {path: (hash_, len(contents[path])) for path, hash_ in manifest.items()}
        (fresh / MARKER).write_text(json.dumps(sizes))
        _note_use(fresh)
        fresh.chmod(0o755)
        if root.exists():
            # It has no marker, else it would have been used: a leftover of something else.
            shutil.rmtree(root)
        os.rename(fresh, root)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _write_files(root: Path, contents: Mapping[str, bytes]) -> None:
    """Put each file in its place at one stroke, read-only."""
    for path, content in contents.items():
        place = root / path
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        _make_folders(root, place.parent)
        handle, name = tempfile.mkstemp(prefix=".file-", dir=place.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o444)
        os.utime(name, ns=(_MTIME_NS, _MTIME_NS))
        os.replace(name, place)


def _make_folders(root: Path, folder: Path) -> None:
    """Make the folders between: real ones, so that no link can lead a write out of the bundle."""
    for part in [*reversed(folder.relative_to(root).parents), folder.relative_to(root)]:
        place = root / part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            place.unlink()
        place.mkdir(exist_ok=True)
