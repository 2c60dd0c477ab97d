"""Bundle archives: the files of a folder as one stream of bytes, and back, trusting nothing of it.

An archive is a gzipped tar of plain files. Equal files make equal bytes: nothing in it tells who packed it, or when.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from flowd.domain.errors import InvalidInput

MOST_FILES = 20_000
LONGEST_PATH = 500

_HEADER_BYTES = 6 * tarfile.BLOCKSIZE
"""What a file may take in the stream beside its content: headers, a long path, and what fills up the last block."""

_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of these files, by relative path with slashes: the same bytes whenever they are the same."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(files):
            member = tarfile.TarInfo(path)
            member.size = len(files[path])
            tar.addfile(member, io.BytesIO(files[path]))
    return gzip.compress(raw.getvalue(), mtime=0)


def unpack(archive: bytes, *, most_bytes: int) -> dict[str, bytes]:
    """Return the files of an archive by path. Never more than about `most_bytes` are unpacked, whatever it claims.

    Raises InvalidInput for what is no such archive, and for one with links, devices, absolute paths, `..`, a path
    twice, a file in the place of a folder, or more than is allowed of files or bytes.
    """
    raw = _inflated(archive, most_bytes)
    files: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
            for member in _files(tar):
                if len(files) >= MOST_FILES:
                    raise InvalidInput(
                        f"the archive holds more than {MOST_FILES} files: leave out what DAGs do not need"
                    )
                if member.name in files:
                    raise InvalidInput(f"the archive holds {member.name!r} twice")
                total += member.size
                if total > most_bytes:
                    raise _too_large(most_bytes)
                content = tar.extractfile(member)
                assert content is not None
                files[member.name] = content.read()
                if len(files[member.name]) != member.size:
                    raise InvalidInput(f"the archive ends within {member.name!r}: it was cut off; send it again")
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise InvalidInput(f"the archive cannot be read ({error}): wanted a gzipped tar of plain files") from error
    _check_folders(files)
    return files


def _inflated(archive: bytes, most_bytes: int) -> bytes:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        raw = stream.decompress(archive, most_bytes + MOST_FILES * _HEADER_BYTES)
    except zlib.error as error:
        raise InvalidInput(
            f"the archive cannot be unpacked ({error}): wanted a gzipped tar, whole and unaltered"
        ) from error
    if stream.unconsumed_tail:
        raise _too_large(most_bytes)
    if not stream.eof or stream.unused_data:
        raise InvalidInput("the archive is cut off, or goes on behind its end: send it again")
    return raw


def _files(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield what is a file; folders follow from the paths of files, and anything else is refused."""
    for member in tar:
        check_path(member.name.rstrip("/") if member.isdir() else member.name)
        if member.isdir():
            continue
        # A sparse file is one whose size is none of what the archive holds.
        if member.type not in _PLAIN or member.issparse():
            raise InvalidInput(
                f"the archive holds {member.name!r}, which is a link or a device: only plain files can be pushed"
            )
        yield member


def check_path(path: str) -> None:
    """Raise InvalidInput for a path that is not relative, plain and within the folder."""
    parts = PurePosixPath(path).parts
    is_plain = bool(parts) and "/".join(parts) == path and ".." not in parts and not path.startswith("/")
    if not is_plain or "\\" in path or "\0" in path:
        raise InvalidInput(f"{path!a} leads out of its folder, or is no plain relative path: rename it")
    if len(path) > LONGEST_PATH:
        raise InvalidInput(f"{path[:80]!a}... is a path of {len(path)} characters; at most {LONGEST_PATH} are possible")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{path!a} is no UTF-8 name: rename the file") from error


def _check_folders(files: Mapping[str, bytes]) -> None:
    for path in files:
        for parent in PurePosixPath(path).parents:
            if str(parent) in files:
                raise InvalidInput(f"the archive holds {str(parent)!r} as a file, and {path!r} within it")


def _too_large(most_bytes: int) -> InvalidInput:
    return InvalidInput(
        f"the archive unpacks to more than {most_bytes} bytes: keep data elsewhere, name what DAGs do not need in"
        " .flowdignore, or raise FLOWD__DAGS__MAX_BUNDLE_SIZE of the API nodes"
    )
