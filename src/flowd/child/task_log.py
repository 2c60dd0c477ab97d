"""The logging of a task process: every record is a line of its stdout, which is the task's log."""

import logging
import sys
from typing import TextIO

from flowd.sdk.secret_values import masked


def log_to_stdout() -> None:
    """Let the root logger write `LEVEL logger - message` to stdout, from INFO on, line by line, and nothing else."""
    root = logging.getLogger()
    if root.level == logging.INFO and [_stream(handler) for handler in root.handlers] == [sys.stdout]:
        return
    logging.basicConfig(level=logging.INFO, handlers=[_StdoutHandler(sys.stdout)], force=True)


class _MaskingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class _StdoutHandler(logging.StreamHandler[TextIO]):
    """Known by its type: a process that was forked from one that logs so already has nothing to do."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.setFormatter(_MaskingFormatter("%(levelname)s %(name)s - %(message)s"))


def _stream(handler: logging.Handler) -> TextIO | None:
    return handler.stream if type(handler) is _StdoutHandler else None
