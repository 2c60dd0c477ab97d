"""LogReader: windows of a log, read by byte offset, so that a long log answers as fast as a short one.

A line of a log is `<UTC time>Z <letter> <text>`: `o` is stdout, `e` stderr, `-` what flowd itself has to say. A capital
letter says that the text goes on in the next line of that stream.
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from flowd.logs.source import LocalLogs, LogSource, OpenLog

WINDOW_BYTES = 1024 * 1024
"""How much is read at once."""

LONGEST_LINE_BYTES = 64 * 1024
"""A line longer than this is cut: the keeper writes none, but files can be damaged."""

_RAW_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_LINE = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z ([oeOE-]) (.*)", re.DOTALL)


class LogStream(StrEnum):
    """Who said a line."""

    STDOUT = "stdout"
    STDERR = "stderr"
    FLOWD = "flowd"


_STREAMS = {b"o": LogStream.STDOUT, b"e": LogStream.STDERR, b"-": LogStream.FLOWD}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line: when and by whom it was said, and the byte at which it begins.

    `at` is None where the file has a line that is no log line.
    """

    at: datetime | None
    stream: LogStream
    text: str
    start: int = 0

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


@dataclass(frozen=True, slots=True)
class LogHit:
    """A line in which something was found, and the byte at which it begins."""

    start: int
    line: LogLine


class LogReader:
    """Reads logs, one window of at most `window_bytes` at a time."""

    def __init__(self, window_bytes: int = WINDOW_BYTES, source: LogSource | None = None) -> None:
        self._window_bytes = window_bytes
        self._source = source or LocalLogs()

    def with_windows_of(self, window_bytes: int) -> "LogReader":
        """Return a reader of the same logs by other windows."""
        return LogReader(window_bytes, self._source)

    async def window(self, path: Path, start: int = 0) -> LogWindow | None:
        """Return the whole lines from byte `start` on; None where there is no such log."""
        log = await self._source.open(path)
        return None if log is None else await self._window(log, start)

    async def tail(self, path: Path) -> LogWindow | None:
        """Return the last window; None where there is no such log."""
        log = await self._source.open(path)
        if log is None or log.size_bytes <= self._window_bytes:
            return None if log is None else await self._window(log, 0)
        start = log.size_bytes - self._window_bytes
        first = await log.read(start, min(LONGEST_LINE_BYTES, self._window_bytes))
        return await self._window(log, start + ((first.find(b"\n") + 1) or len(first)))

    async def windows(self, path: Path, start: int = 0) -> AsyncIterator[LogWindow]:
        """Iterate over the windows from byte `start` to what is the end now."""
        log = await self._source.open(path)
        while log is not None:
            window = await self._window(log, start)
            if window.end <= start:
                return
            yield window
            start = window.end
            if start >= log.size_bytes:
                return

    async def find(self, path: Path, text: str, *, most: int) -> list[LogHit]:
        """Return the first `most` lines with this text, upper or lower case; none where there is no such log."""
        log = await self._source.open(path)
        wanted, hits, at = text.lower().encode(), list[LogHit](), 0
        while log is not None and at < log.size_bytes and len(hits) < most:
            data = await log.read(at, self._window_bytes)
            whole = data[: _whole_lines(data, self._window_bytes)] or data
            if not whole:
                break
            if wanted in whole.lower():
                hits += _found(whole, at, text.lower())
            at += len(whole)
        return hits[:most]

    async def _window(self, log: OpenLog, start: int) -> LogWindow:
        begin = min(start, log.size_bytes)
        data = await log.read(begin, min(self._window_bytes, log.size_bytes - begin))
        whole = data[: _whole_lines(data, self._window_bytes)]
        return LogWindow(lines=_lines(whole, begin), start=start, end=begin + len(whole), size_bytes=log.size_bytes)


def _whole_lines(data: bytes, window_bytes: int) -> int:
    """Return where the last whole line ends; all of the data where it is one line longer than any should be."""
    end = data.rfind(b"\n") + 1
    return len(data) if not end and len(data) >= min(LONGEST_LINE_BYTES, window_bytes) else end


def _found(data: bytes, at: int, text: str) -> Iterator[LogHit]:
    for raw in _RAW_LINE.findall(data):
        if text.encode() in raw.lower():
            yield from (LogHit(at, line) for line in _lines(raw, at) if text in line.text.lower())
        at += len(raw)


def _lines(data: bytes, start: int) -> tuple[LogLine, ...]:
    lines: list[LogLine] = []
    going_on: dict[LogStream, tuple[int, bytes]] = {}
    for raw in data.removesuffix(b"\n").split(b"\n") if data else ():
        begins, start = start, start + len(raw) + 1
        found = _LINE.fullmatch(raw)
        if found is None:
            lines.append(LogLine(at=None, stream=LogStream.FLOWD, text=raw.decode(errors="replace"), start=begins))
            continue
        moment, letter, text = found.groups()
        stream = _STREAMS[letter.lower()]
        place, before = going_on.pop(stream, (len(lines), b""))
        line = LogLine(at=_moment(moment), stream=stream, text=(before + text).decode(errors="replace"), start=begins)
        if place == len(lines):
            lines.append(line)
        else:
            lines[place] = LogLine(at=lines[place].at, stream=stream, text=line.text, start=lines[place].start)
        if letter.isupper():
            going_on[stream] = (place, before + text)
    return tuple(lines)


def _moment(text: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(text.decode()).replace(tzinfo=UTC)
    except ValueError:
        return None
