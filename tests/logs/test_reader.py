"""Windows of a log: whole lines, by byte offset, whatever the file holds."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.logs.reader import LogLine, LogReader, LogStream

MOMENT = "2026-01-01T12:00:00.000001Z"


def line(text: str, letter: str = "o") -> bytes:
    return f"{MOMENT} {letter} {text}\n".encode()


async def texts(path: Path, window_bytes: int, start: int = 0) -> list[str]:
    reader = LogReader(window_bytes)
    return [one.text async for window in reader.windows(path, start) for one in window.lines]


async def test_a_line_says_when_and_by_whom_it_was_said(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    path.write_bytes(line("out") + line("err", "e") + line("flowd", "-"))

    window = await LogReader().window(path)

    assert window is not None and window.is_last
    at = datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
    assert window.lines == (
        LogLine(at=at, stream=LogStream.STDOUT, text="out"),
        LogLine(at=at, stream=LogStream.STDERR, text="err", start=len(line("out"))),
        LogLine(at=at, stream=LogStream.FLOWD, text="flowd", start=len(line("out") + line("err"))),
    )
    assert str(window.lines[0]) == "[2026-01-01T12:00:00.000001+00:00] out"


async def test_a_line_that_was_cut_is_joined_with_the_next_of_its_stream(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    path.write_bytes(line("one ", "O") + line("meanwhile", "e") + line("two ", "O") + line("three") + line("next"))

    assert await texts(path, 10_000) == ["one two three", "meanwhile", "next"]


async def test_a_window_from_where_a_line_begins_begins_with_that_line(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    path.write_bytes(
        line("first") + b"no log line\n" + line("cut", "O") + line("err", "e") + line(" on") + line("last")
    )
    reader = LogReader()

    window = await reader.window(path)

    assert window is not None and [one.text for one in window.lines] == [
        "first",
        "no log line",
        "cut on",
        "err",
        "last",
    ]
    for one in window.lines:
        again = await reader.window(path, one.start)
        assert again is not None and again.lines[0] == one
    hits = await reader.find(path, "last", most=1)
    assert [hit.line.start for hit in hits] == [hits[0].start] == [window.lines[-1].start]


async def test_a_line_that_is_still_being_written_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    path.write_bytes(line("whole") + line("half")[:-3])
    reader = LogReader()

    first = await reader.window(path)
    path.write_bytes(line("whole") + line("half"))

    assert first is not None and [one.text for one in first.lines] == ["whole"] and not first.is_last
    assert await texts(path, 10_000, first.end) == ["half"]


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N", "Zs"]), max_size=200), max_size=30))
async def test_windows_of_any_size_hold_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, said: list[str]
) -> None:
    path = tmp_path_factory.mktemp("logs") / "1.log"
    path.write_bytes(b"".join(line(text) for text in said))

    assert await texts(path, 512) == said


@pytest.mark.parametrize(
    "damage", [b"", b"\n", b"no time\n", b"\xff\xfe\n", b"2026-99-99T12:00:00Z o x\n", b"\0" * 5000]
)
async def test_a_damaged_file_is_read_to_its_end(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "1.log"
    path.write_bytes(damage + b"\n" + line("after"))

    assert (await texts(path, 1024))[-1] == "after"


async def test_the_tail_begins_with_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    path.write_bytes(b"".join(line(f"line {number}") for number in range(100)))
    reader = LogReader(200)

    tail = await reader.tail(path)

    assert tail is not None and tail.is_last
    assert [one.text for one in tail.lines] == ["line 95", "line 96", "line 97", "line 98", "line 99"]
    assert (await reader.tail(tmp_path / "none.log"), await reader.window(tmp_path)) == (None, None)


async def test_a_window_behind_the_end_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    path.write_bytes(line("x"))

    window = await LogReader().window(path, 10_000)

    assert window is not None and (window.lines, window.is_last) == ((), True)
    assert await texts(path, 100, 10_000) == []


async def test_what_is_looked_for_is_found_in_the_whole_log_with_the_place_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    lines = [line("first"), line("an Error here", "e"), line("middle"), line("ERROR again")]
    path.write_bytes(b"".join(lines))
    reader = LogReader(window_bytes=64)

    hits = await reader.find(path, "error", most=9)

    assert [(hit.line.text, hit.line.stream) for hit in hits] == [
        ("an Error here", LogStream.STDERR),
        ("ERROR again", LogStream.STDOUT),
    ]
    assert [hit.start for hit in hits] == [len(lines[0]), sum(map(len, lines[:3]))]
    assert [hit.line.text for hit in await reader.find(path, "error", most=1)] == ["an Error here"]
    assert await reader.find(path, "2026", most=9) == [], "the moments of lines are none of their text"
    assert await reader.find(tmp_path / "none.log", "error", most=9) == []
