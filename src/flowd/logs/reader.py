"""LogReader: windows of a log, read by byte offset, so that a long log answers as fast as a short one.

A line of a log is `<UTC time>Z <letter> <text>`: `o` is stdout, `e` stderr, `-` what flowd itself has to say. A capital
letter says that the text goes on in the next line of that stream.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

WINDOW_BYTES = 1024 * 1024
"""How much is read at once."""

LONGEST_LINE_BYTES = 64 * 1024
"""A line longer than this is cut: the keeper writes none, but files can be damaged."""

_LINE = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z ([oeOE-]) (.*)", re.DOTALL)


class LogStream(StrEnum):
    """Who said a line."""

    STDOUT = "stdout"
    STDERR = "stderr"
    FLOWD = "flowd"


_STREAMS = {b"o": LogStream.STDOUT, b"e": LogStream.STDERR, b"-": LogStream.FLOWD}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line: when and by whom it was said. `at` is None where the file has a line that is no log line."""

    at: datetime | None
    stream: LogStream
    text: str

    def __str__(self) -> str:
        return self.text if self.at is None else f"[{self.at.isoformat()}] {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWindow:
    """The lines between two byte offsets of a log of `size_bytes`. `end` is where the next window begins."""

    lines: tuple[LogLine, ...]
    start: int
    end: int
    size_bytes: int

    @property
    def is_last(self) -> bool:
        """True where nothing follows yet."""
        return self.end >= self.size_bytes


class LogReader:
    """Reads logs in threads, one window of at most `window_bytes` at a time."""

    def __init__(self, window_bytes: int = WINDOW_BYTES) -> None:
        self._window_bytes = window_bytes

    async def window(self, path: Path, start: int = 0) -> LogWindow | None:
        """Return the whole lines from byte `start` on; None where there is no such log."""
        return await asyncio.to_thread(self._window, path, start)

    async def tail(self, path: Path) -> LogWindow | None:
        """Return the last window; None where there is no such log."""
        return await asyncio.to_thread(self._tail, path)

    async def windows(self, path: Path, start: int = 0) -> AsyncIterator[LogWindow]:
        """Iterate over the windows from byte `start` to what is the end now."""
        window = await self.window(path, start)
        size = window.size_bytes if window else 0
        while window is not None and window.end > start:
            yield window
            start = window.end
            if start >= size:
                return
            window = await self.window(path, start)

    def _tail(self, path: Path) -> LogWindow | None:
        try:
            size = path.stat().st_size
        except OSError:
            return None
        if size <= self._window_bytes:
            return self._window(path, 0)
        with path.open("rb") as file:
            file.seek(size - self._window_bytes)
            first = file.readline(LONGEST_LINE_BYTES)
        return self._window(path, size - self._window_bytes + len(first))

    def _window(self, path: Path, start: int) -> LogWindow | None:
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(min(start, size))
                data = file.read(self._window_bytes)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        end = data.rfind(b"\n") + 1
        if not end and len(data) >= min(LONGEST_LINE_BYTES, self._window_bytes):
            end = len(data)
        whole = data[:end]
        return LogWindow(lines=_lines(whole), start=start, end=min(start, size) + len(whole), size_bytes=size)


def _lines(data: bytes) -> tuple[LogLine, ...]:
    lines: list[LogLine] = []
    going_on: dict[LogStream, tuple[int, bytes]] = {}
    for raw in data.removesuffix(b"\n").split(b"\n") if data else ():
        found = _LINE.fullmatch(raw)
        if found is None:
            lines.append(LogLine(at=None, stream=LogStream.FLOWD, text=raw.decode(errors="replace")))
            continue
        moment, letter, text = found.groups()
        stream = _STREAMS[letter.lower()]
        place, before = going_on.pop(stream, (len(lines), b""))
        line = LogLine(at=_moment(moment), stream=stream, text=(before + text).decode(errors="replace"))
        if place == len(lines):
            lines.append(line)
        else:
            lines[place] = LogLine(at=lines[place].at, stream=stream, text=line.text)
        if letter.isupper():
            going_on[stream] = (place, before + text)
    return tuple(lines)


def _moment(text: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(text.decode()).replace(tzinfo=UTC)
    except ValueError:
        return None
