"""SIGTERM as an exception in the running task, so that it can clean up."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """The process was told to end. No Exception: a task's own `except Exception` must not swallow it."""


@contextmanager
def terminable() -> Iterator[None]:
    """Raise Terminated in the main thread where a SIGTERM comes within the block; from then on it ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    # Once only: on_kill must not be cut short by a sender who repeats himself.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated
