"""What a task prints, with its secrets masked."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from flowd.sdk.secret_values import masked


@contextmanager
def masked_output() -> Iterator[None]:
    """Let whatever Python writes to stdout and stderr within the block pass the mask; a subprocess writes past it."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Masked(sys.stdout), _Masked(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Masked:
    """A stream in all but that its text is masked when it is written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(masked(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
