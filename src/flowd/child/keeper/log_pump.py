"""LogPump: carries a tree's stdout and stderr into its log, every line behind its time and stream.

A line of the log is `<UTC time, microseconds>Z <letter> <text>`. The letter is `o` for stdout, `e` for stderr, `-` for
what flowd itself has to say. A capital `O` or `E` says that the text goes on in the next line of that stream: it was
cut because no newline came for LINE_BYTES. Secrets that the pump was told of are masked, across such a cut too.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from flowd.child.keeper.log_mask import LogMask
from flowd.child.keeper.reactor import Reactor

LINE_BYTES = 16 * 1024
"""Text without a newline is held back up to here, then written as a line that continues."""

READ_BYTES = 64 * 1024
"""One turn reads at most so much of one stream, so that a chatterbox stalls no other attempt."""

LAST_LINE_BYTES = 64 * 1024

_DRAIN_READS = 16


def event_line(text: str) -> bytes:
    """Return the log lines by which flowd itself says `text`; append them with one write."""
    begin = _begin(b"-")
    return b"".join(begin + line.encode(errors="surrogateescape") + b"\n" for line in text.splitlines())


class LogPump:
    """Reads the two pipes without ever blocking, and hands finished lines to `write`."""

    def __init__(self, reactor: Reactor, write: Callable[[bytes], None]) -> None:
        """Open the pipes; `stdout` and `stderr` are the ends for the child, closed here by close_child_ends()."""
        self._reactor = reactor
        self._write = write
        self._tail = b""
        read_out, self.stdout = os.pipe()
        try:
            read_err, self.stderr = os.pipe()
        except OSError:
            os.close(read_out)
            os.close(self.stdout)
            raise
        self._mask = LogMask()
        self._streams = [_Stream(read_out, b"o", self._mask, self._remember), _Stream(read_err, b"e", self._mask, None)]

    @property
    def is_at_end(self) -> bool:
        """Whether both pipes have been read to their end: no process holds them any more."""
        return not self._streams

    @property
    def last_line(self) -> str | None:
        """The last line of stdout that was not blank, without blanks at its end; of a long one the last 64 KiB.

        It is a value for other tasks, as the script wrote it: nothing in it is masked.
        """
        line = self._tail.rstrip().rpartition(b"\n")[2]
        return line.decode(errors="replace") if line else None

    def mask(self, secret: str) -> None:
        """Put stars in the place of this text in whatever is read from now on."""
        self._mask.add(secret)

    def start(self) -> None:
        """Begin to read. Call it once the child has its ends, after close_child_ends()."""
        for stream in self._streams:
            self._reactor.watch(stream.fd, partial(self._on_readable, stream))

    def close_child_ends(self) -> None:
        """Close the ends that are the child's."""
        os.close(self.stdout)
        os.close(self.stderr)

    def drain(self) -> None:
        """Read what is in the pipes now (at most 1 MiB of each)."""
        for stream in list(self._streams):
            for _ in range(_DRAIN_READS):
                if not self._pump(stream):
                    break

    def close(self) -> None:
        """Write out what was held back, and close the pipes."""
        for stream in list(self._streams):
            self._end(stream)

    def _on_readable(self, stream: "_Stream", _events: int) -> None:
        self._pump(stream)

    def _pump(self, stream: "_Stream") -> bool:
        try:
            received = os.read(stream.fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not received:
            self._end(stream)
            return False
        lines = stream.cut(received)
        if lines:
            self._write(lines)
        return True

    def _end(self, stream: "_Stream") -> None:
        self._streams.remove(stream)
        self._reactor.unwatch(stream.fd)
        os.close(stream.fd)
        lines = stream.rest()
        if lines:
            self._write(lines)

    def _remember(self, text: bytes) -> None:
        # Empty lines at the end are kept as one newline, else a long run of them would push the last real one out.
        stripped = text.rstrip()
        blanks = text[len(stripped) :]
        if stripped or (self._tail and not self._tail.endswith(b"\n")):
            self._tail = (self._tail + stripped + (b"\n" if b"\n" in blanks else blanks))[-LAST_LINE_BYTES:]


class _Stream:
    """One pipe's read end, and the text of it that waits for its newline."""

    def __init__(self, fd: int, letter: bytes, mask: LogMask, remember: Callable[[bytes], None] | None) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._letter = letter
        self._mask = mask
        self._remember = remember
        self._held = b""

    def cut(self, received: bytes) -> bytes:
        """Return the log lines that `received` completes."""
        if self._remember:
            self._remember(received)
        text = self._held + received
        end = text.rfind(b"\n") + 1
        lines = _with_begin(self._mask.apply(text[:end]), _begin(self._letter)) if end else b""
        self._held = text[end:]
        # What may be the beginning of a secret waits for its rest.
        kept_bytes = max(self._mask.longest - 1, 0)
        if len(self._held) >= LINE_BYTES + kept_bytes:
            held = self._mask.apply(self._held)
            cut = max(len(held) - kept_bytes, 0)
            lines += _begin(self._letter.upper()) + held[:cut] + b"\n"
            self._held = held[cut:]
        return lines

    def rest(self) -> bytes:
        """Return what is still held back, as a log line."""
        held, self._held = self._held, b""
        return _begin(self._letter) + self._mask.apply(held) + b"\n" if held else b""


def _with_begin(lines: bytes, begin: bytes) -> bytes:
    return begin + lines[:-1].replace(b"\n", b"\n" + begin) + b"\n"


def _begin(letter: bytes) -> bytes:
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return now.encode() + b"Z " + letter + b" "
