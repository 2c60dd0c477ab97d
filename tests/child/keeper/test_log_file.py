"""LogFile: a disk that fills up and empties again, and a limit."""

import re
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowd.child.keeper import log_file
from flowd.child.keeper.log_file import LogFile


@contextmanager
def disk_of(size_bytes: int) -> Iterator[None]:
    """Let every write past this size of a file fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_the_folder_is_made(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "a" / "b" / "launch.log"), 1000)
    log.write(b"x\n")
    log.close()

    assert (tmp_path / "a" / "b" / "launch.log").read_bytes() == b"x\n"
    assert not log.is_truncated


def test_a_path_that_depends_on_the_current_folder_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'launch\.log' is not an absolute path"):
        LogFile("launch.log", 1000)


def test_what_a_full_disk_lost_is_marked_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "RETRY_SECONDS", 0.0)
    path = tmp_path / "launch.log"
    log = LogFile(str(path), 1000)

    with disk_of(10):
        log.write(b"first line\nlost")
        log.write(b"lost too\n")
    log.write(b"back\n")
    log.close()

    lines = path.read_text().splitlines()
    assert [lines[0], lines[2]] == ["first line", "back"]
    assert re.fullmatch(r".*Z - log truncated: 14 bytes were lost to a full disk", lines[1])
    assert log.is_truncated


def test_a_disk_that_has_room_only_at_the_end_still_gets_its_marker(tmp_path: Path) -> None:
    path = tmp_path / "launch.log"
    log = LogFile(str(path), 1000)

    with disk_of(4):
        log.write(b"0123456789\n")
    log.write(b"too soon to try again\n")
    log.close()

    first, marker = path.read_text().splitlines()
    assert first == "0123"
    assert marker.endswith("log truncated: 29 bytes were lost to a full disk")


def test_after_the_limit_comes_one_marker_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "launch.log"
    log = LogFile(str(path), 12)

    log.write(b"one\ntwo\n")
    log.write(b"six\nseven\n")
    log.write(b"eight\n")
    log.close()

    *kept, marker = path.read_text().splitlines()
    assert kept == ["one", "two", "six"]
    assert "size limit" in marker
    assert log.is_truncated
