"""LogFile: the file a tree's output is appended to, which may be full, and which has a limit."""

import errno
import os
import time

from flowd.child.keeper.log_pump import event_line

RETRY_SECONDS = 1.0
"""How long to leave a full disk alone before trying again."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


class LogFile:
    """Appends; what cannot be written is counted and replaced by a marker line, never an error for the task."""

    def __init__(self, path: str, limit_bytes: int) -> None:
        """Open the file, and make its folder where missing.

        Raise ValueError for a path that depends on the current folder, OSError for anything but a full disk.
        """
        if not os.path.isabs(path):
            raise ValueError(f"the log {path!r} is not an absolute path: name it from the root on")
        self.is_truncated = False
        self._path = path
        self._left_bytes = limit_bytes
        self._lost_bytes = 0
        self._retry_at = 0.0
        self._ends_in_line = False
        self._fd: int | None = None
        self._try_open()

    def write(self, lines: bytes) -> None:
        """Append the lines with one write, as far as the limit and the disk allow."""
        if self._left_bytes <= 0:
            return
        if len(lines) > self._left_bytes:
            self._append(lines[: lines.rfind(b"\n", 0, self._left_bytes) + 1])
            self._append(event_line("log truncated: its size limit is reached, what follows was dropped"))
            self.is_truncated = True
            self._left_bytes = 0
            return
        self._append(lines)

    def close(self) -> None:
        """Close the file, after a last try to say what was lost."""
        self._retry_at = 0.0
        if self._lost_bytes:
            self._append(b"")
        if self._fd is not None:
            os.close(self._fd)

    def _append(self, lines: bytes) -> None:
        if self._lost_bytes and not self._mark_loss():
            self._lost_bytes += len(lines)
            return
        self._lose(lines, self._write(lines))

    def _mark_loss(self) -> bool:
        """Write the marker for what was lost; False where there is no room for it yet."""
        if time.monotonic() < self._retry_at:
            return False
        # A disk that filled up in the middle of a line has left half a line behind.
        marker = b"\n" * self._ends_in_line
        marker += event_line(f"log truncated: {self._lost_bytes} bytes were lost to a full disk")
        if self._write(marker) < len(marker):
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return False
        self._lost_bytes = 0
        return True

    def _lose(self, lines: bytes, written: int) -> None:
        if written < len(lines):
            self.is_truncated = True
            self._lost_bytes += len(lines) - written
            self._retry_at = time.monotonic() + RETRY_SECONDS

    def _write(self, lines: bytes) -> int:
        """Return how many bytes found room."""
        written = 0
        try:
            if self._fd is None:
                self._try_open()
            while self._fd is not None and written < len(lines):
                written += os.write(self._fd, lines[written:] if written else lines)
        except OSError as error:
            if error.errno not in (*_FULL, errno.EIO, errno.EFBIG):
                raise
        self._left_bytes -= written
        if written:
            self._ends_in_line = lines[written - 1 : written] != b"\n"
        return written

    def _try_open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            try:
                self._fd = os.open(self._path, flags, 0o640)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
                self._fd = os.open(self._path, flags, 0o640)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self.is_truncated = True
