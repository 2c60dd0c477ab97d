"""XCom values that are too large for the metastore: files in a folder or bucket that all workers reach.

The process of the task writes and reads them, with the credentials of a connection: no node ever holds one, and none
passes through keeper and socket. What is written is JSON text; what is read must have the SHA-256 of the reference, so
that nobody is given another value in the place of the one that was pushed.
"""

import bz2
import gzip
import hashlib
import json
import lzma
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from flowd.domain.ids import UNMAPPED
from flowd.domain.mappable import length_of
from flowd.domain.stored_value import COMPRESSION_VARIABLE, PATH_VARIABLE, THRESHOLD_VARIABLE, StoredValue
from flowd.logs.paths import quoted
from flowd.sdk.exceptions import AirflowConfigException, AirflowException
from flowd.sdk.object_path import ObjectStoragePath
from flowd.sdk.object_store import has_fs

_NEVER = -1

_Octets = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Codec:
    suffix: str
    compress: _Octets
    decompress: _Octets


_PLAIN = _Codec(suffix="", compress=bytes, decompress=bytes)
_XZ = _Codec(suffix=".xz", compress=lzma.compress, decompress=lzma.decompress)
_CODECS: Mapping[str, _Codec] = {
    "": _PLAIN,
    "gzip": _Codec(suffix=".gz", compress=gzip.compress, decompress=gzip.decompress),
    "bz2": _Codec(suffix=".bz2", compress=bz2.compress, decompress=bz2.decompress),
    "xz": _XZ,
    "lzma": _XZ,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class XComStore:
    """A folder, and from how many bytes of JSON on a value is put there."""

    folder: str
    threshold_bytes: int
    compression: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the store that the environment of this process names; None where every value goes to the metastore."""
        folder, threshold = environ.get(PATH_VARIABLE, ""), int(environ.get(THRESHOLD_VARIABLE) or _NEVER)
        if not folder or threshold < 0:
            return None
        return cls(folder=folder, threshold_bytes=threshold, compression=environ.get(COMPRESSION_VARIABLE, ""))

    def kept(self, document: Any, dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
        """Return the JSON value, or where it is large the reference to it; it is in its place by then.

        Nothing (None) is never stored: a task that returned nothing has pushed nothing.
        """
        octets = json.dumps(document, separators=(",", ":")).encode("ascii")
        if document is None or len(octets) < self.threshold_bytes:
            return document
        codec = _codec(self.compression)
        mapped = "" if map_index == UNMAPPED else f"~{map_index}"
        # A name of its own: an earlier value under this key may be in use, until the reference is another one.
        name = f"{quoted(dag_id)}/{quoted(run_id)}/{quoted(task_id, 200)}{mapped}/{uuid4().hex}.json{codec.suffix}"
        url = f"{self.folder.rstrip('/')}/{name}"
        _write(url, codec.compress(octets))
        return StoredValue(
            url=url,
            bytes=len(octets),
            sha256=hashlib.sha256(octets).hexdigest(),
            compression=self.compression,
            length=length_of(document),
        ).to_json()


def kept(document: Any, dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
    """Return the JSON value of an XCom as it is pushed: itself, or a reference where a store takes it."""
    store = XComStore.of(os.environ)
    return document if store is None else store.kept(document, dag_id, run_id, task_id, map_index)


def prepare(environ: Mapping[str, str]) -> None:
    """Import what the store needs, for all processes that are forked from this one; nothing is opened."""
    store = XComStore.of(environ)
    if store is not None and not (folder := ObjectStoragePath(store.folder)).is_local:
        has_fs(folder.protocol)


def fetched(stored: StoredValue) -> Any:
    """Return the JSON value that is stored; raise AirflowException where it is gone or is another one."""
    codec = _codec(stored.compression)
    try:
        octets = codec.decompress(_place(stored.url).read_bytes())
    except FileNotFoundError as error:
        raise AirflowException(
            f"an XCom value of {stored.bytes:,} bytes is not at {stored.url}: it was deleted, or this worker sees "
            "another folder there than the one that stored it"
        ) from error
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise AirflowException(f"an XCom value cannot be read from {stored.url}: {error}") from error
    if hashlib.sha256(octets).hexdigest() != stored.sha256:
        raise AirflowException(f"what is at {stored.url} is not the XCom value that was stored there")
    return json.loads(octets)


def is_in_store(url: str, store: str) -> bool:
    """Return True where a value lies in the store: what a task has told of another place is never deleted there."""
    return url.startswith(f"{store.rstrip('/')}/") and ".." not in url.split("/")


def remove(url: str, store: str) -> None:
    """Delete a value of the store, and the folders that it leaves empty; one that is not there is deleted.

    Raises AirflowException where that cannot be said: the store cannot be reached, or its folder is not here.
    """
    place = _place(url)
    try:
        if isinstance(place, Path):
            _remove_file(place, Path(ObjectStoragePath(store).path))
        elif place.exists():
            place.unlink()
    except OSError as error:
        raise AirflowException(f"an XCom value cannot be deleted at {url}: {error}") from error


def _remove_file(file: Path, root: Path) -> None:
    if not root.is_dir():
        raise AirflowException(f"{root} is not on this machine: whether {file} is gone cannot be said")
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == root or (folder.is_dir() and any(folder.iterdir())):
            return
        # Whoever writes there at this moment makes it anew, or has it not empty.
        with suppress(OSError):
            folder.rmdir()


def _write(url: str, octets: bytes) -> None:
    place = _place(url)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(place, Path):
            _write_file(place, octets)
        else:
            place.write_bytes(octets)
    except OSError as error:
        raise AirflowException(f"an XCom value of {len(octets):,} bytes cannot be stored at {url}: {error}") from error


def _write_file(path: Path, octets: bytes) -> None:
    with path.open("xb") as file:
        file.write(octets)
        file.flush()
        # The reference outlives a machine that fails now; so must what it refers to.
        os.fsync(file.fileno())


def _place(url: str) -> Path | ObjectStoragePath:
    place = ObjectStoragePath(url)
    # A folder needs no fsspec.
    return Path(place.path) if place.is_local else place


def _codec(name: str) -> _Codec:
    if name not in _CODECS:
        raise AirflowConfigException(
            f"XComs cannot be compressed with {name!r}; wanted one of {', '.join(filter(None, _CODECS))}"
        )
    return _CODECS[name]
