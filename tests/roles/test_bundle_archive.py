"""Bundle archives: what is packed comes back, and nothing that an archive claims leads anywhere else."""

import gzip
import io
import tarfile
import tracemalloc
from collections.abc import Callable

import pytest

from flowd.domain.errors import InvalidInput
from flowd.roles import bundle_archive
from flowd.roles.bundle_archive import pack, unpack

FILES = {"a.py": b"print(1)\n", "sub/ä.sql": b"\0\xff" * 1000, "empty": b"", "deep/" * 40 + "x.py": b"x"}
MOST = 1_000_000


def archive_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue())


def a_file(name: str, content: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), content


def a(kind: bytes, name: str = "a", target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def test_what_is_packed_comes_back_and_equal_files_make_equal_bytes() -> None:
    assert unpack(pack(FILES), most_bytes=MOST) == FILES
    assert pack(FILES) == pack(dict(reversed(FILES.items())))


def test_an_archive_that_tar_makes_is_taken() -> None:
    assert unpack(archive_of(a(tarfile.DIRTYPE, "sub/"), a_file("sub/a.py")), most_bytes=MOST) == {"sub/a.py": b"x"}


@pytest.mark.parametrize(
    ("archive", "why"),
    [
        (archive_of(a_file("/etc/passwd")), "leads out of its folder"),
        (archive_of(a_file("../a.py")), "leads out of its folder"),
        (archive_of(a_file("sub/../../a.py")), "leads out of its folder"),
        (archive_of(a_file("./a.py")), "no plain relative path"),
        (archive_of(a_file("sub//a.py")), "no plain relative path"),
        (archive_of(a_file("sub\\a.py")), "no plain relative path"),
        (archive_of(a_file("x" * 501)), "at most 500"),
        (archive_of(a(tarfile.SYMTYPE, target="/etc/passwd")), "a link or a device"),
        (archive_of(a(tarfile.SYMTYPE, target="b.py")), "a link or a device"),
        (archive_of(a(tarfile.LNKTYPE, target="b.py")), "a link or a device"),
        (archive_of(a(tarfile.FIFOTYPE)), "a link or a device"),
        (archive_of(a(tarfile.CHRTYPE)), "a link or a device"),
        (archive_of(a(tarfile.GNUTYPE_SPARSE)), "cannot be read|a link or a device"),
        (archive_of(a_file("a.py"), a_file("a.py")), "twice"),
        (archive_of(a_file("a"), a_file("a/b.py")), "as a file"),
        (pack(FILES)[:-10], "cut off"),
        (pack(FILES) + b"more", "behind its end"),
        (b"no archive", "cannot be unpacked"),
        (b"", "cut off"),
        (gzip.compress(b"no tar" * 1000), "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_archive_of_plain_files_is_refused(archive: bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        unpack(archive, most_bytes=MOST)


def test_an_altered_archive_is_refused() -> None:
    archive = bytearray(pack({"a.py": bytes(range(256)) * 100}))
    archive[len(archive) // 2] ^= 1

    with pytest.raises(InvalidInput):
        unpack(bytes(archive), most_bytes=MOST)


@pytest.mark.parametrize("bomb", [lambda: pack({"a": b"\0" * 300_000_000}), lambda: gzip.compress(b"\0" * 300_000_000)])
def test_a_bomb_is_refused_before_it_has_grown(monkeypatch: pytest.MonkeyPatch, bomb: Callable[[], bytes]) -> None:
    monkeypatch.setattr(bundle_archive, "MOST_FILES", 100)
    archive = bomb()

    tracemalloc.start()
    with pytest.raises(InvalidInput, match="more than 1000000 bytes"):
        unpack(archive, most_bytes=MOST)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 10_000_000


def test_too_many_files_and_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_archive, "MOST_FILES", 2)

    with pytest.raises(InvalidInput, match="more than 2 files"):
        unpack(pack({"a": b"", "b": b"", "c": b""}), most_bytes=MOST)
    with pytest.raises(InvalidInput, match="more than 10 bytes"):
        unpack(pack({"a": b"123456", "b": b"12345"}), most_bytes=10)
