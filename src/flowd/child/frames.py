"""Frames: JSON documents on a stream socket, each behind its length as four bytes, big end first.

The same form is used between node and keeper, keeper and warm interpreter, and keeper and task process.
"""

import json
import struct
from typing import Any

Frame = dict[str, Any]

LIMIT_BYTES = 64 * 1024 * 1024
"""A longer frame is refused: the sender is broken."""

_to_text = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

_LENGTH = struct.Struct("!I")


class FrameTooLong(ValueError):
    """A peer announced or tried to send more than LIMIT_BYTES in one frame."""


def encode(frame: Frame) -> bytes:
    """Return the frame as bytes to send; raise TypeError where it is not JSON, FrameTooLong where it is too long."""
    body = _to_text(frame).encode("utf-8", "surrogatepass")
    if len(body) > LIMIT_BYTES:
        raise FrameTooLong(
            f"{len(body):,} bytes of JSON are more than the {LIMIT_BYTES:,} that pass between a task and its node: "
            "let xcom.store keep large values, or write a file and hand over its path"
        )
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Cuts a byte stream back into frames; feed() takes what was received, however it was split."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> list[Frame]:
        """Return the frames completed by `received`; raise FrameTooLong or ValueError where the stream is broken."""
        self._buffer += received
        frames: list[Frame] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if length > LIMIT_BYTES:
                raise FrameTooLong(f"a frame of {length} bytes is over the limit of {LIMIT_BYTES}")
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            frames.append(json.loads(self._buffer[start + _LENGTH.size : end].decode("utf-8", "surrogatepass")))
            start = end
        del self._buffer[:start]
        return frames
