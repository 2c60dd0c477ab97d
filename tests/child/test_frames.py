"""Frames survive the way, however the stream is cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.child.frames import LIMIT_BYTES, Decoder, FrameTooLong, encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FRAMES = st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=4)


@given(FRAMES, st.lists(st.integers(min_value=1, max_value=40), min_size=1))
def test_frames_arrive_whole_and_in_order_however_the_stream_is_cut(
    frames: list[dict[str, Any]], cuts: list[int]
) -> None:
    stream = b"".join(encode(frame) for frame in frames)
    decoder = Decoder()
    received = []

    position = turn = 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        received += decoder.feed(stream[position : position + size])
        position, turn = position + size, turn + 1

    assert received == frames


def test_a_file_name_that_is_no_utf8_survives() -> None:
    frame = {"path": "a\udcffb"}

    assert Decoder().feed(encode(frame)) == [frame]


def test_a_frame_over_the_limit_is_neither_sent_nor_believed() -> None:
    with pytest.raises(FrameTooLong, match="67,108,872 bytes of JSON are more than the 67,108,864"):
        encode({"x": "a" * LIMIT_BYTES})
    with pytest.raises(FrameTooLong, match="over the limit"):
        Decoder().feed((LIMIT_BYTES + 1).to_bytes(4))


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(json.JSONDecodeError):
        Decoder().feed(b"\0\0\0\x03abc")
