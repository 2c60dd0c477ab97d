"""LogPump and event lines: the form of a log."""

import os
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowd.child.keeper.log_pump import LINE_BYTES, LogPump, event_line
from flowd.child.keeper.reactor import Reactor
from tests.support.pace import at_pace

BEGIN = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ([oeOE]) ")


def pumped(chunks: list[bytes], *secrets: str) -> tuple[bytes, str | None]:
    """Write the chunks to stdout, pumping after each; return the log and the last line."""
    written: list[bytes] = []
    pump = LogPump(Reactor(), written.append)
    for secret in secrets:
        pump.mask(secret)
    for chunk in chunks:
        os.write(pump.stdout, chunk)
        pump.drain()
    pump.close_child_ends()
    pump.drain()
    assert pump.is_at_end
    pump.close()
    return b"".join(written), pump.last_line


def text_of(log: bytes) -> bytes:
    """Return what was written, but for a newline at the end."""
    lines = re.findall(rb"(?:\A|(?<=\n))\S{26}Z ([oO]) (.*?)\n(?=\d{4}-\S{21}Z [oO] |\Z)", log, re.DOTALL)
    return b"".join(line if letter == b"O" else line + b"\n" for letter, line in lines)


def test_an_event_line_has_its_own_letter_and_each_of_its_lines_a_time() -> None:
    assert re.fullmatch(rb"(\S+Z - (one|two)\n){2}", event_line("one\ntwo"))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.binary(min_size=1, max_size=300) | st.sampled_from([b"\n", b"text\n", b"x" * LINE_BYTES]), max_size=8)
)
def test_no_byte_is_lost_or_added_however_output_is_cut(chunks: list[bytes]) -> None:
    log, _ = pumped(chunks)

    text = text_of(log)
    output = b"".join(chunks)
    assert text == output or text == output + b"\n"


SECRETS = ("hunter22", "hunter22-longer", "-----BEGIN\nline-of-a-key\nno\n")


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.sampled_from(
            [b"hunter22", b"hunter2", b"2-longer", b"hun", b"line-of-a-key\n", b"\n", b"x" * (LINE_BYTES - 5), b"yy"]
        ),
        max_size=12,
    )
)
def test_no_secret_is_in_a_log_however_output_is_cut(chunks: list[bytes]) -> None:
    log, _ = pumped(chunks, *SECRETS)

    text = text_of(log)
    assert not any(secret in text for secret in (b"hunter22", b"line-of-a-key"))
    assert log.count(b"***") > 0 or not any(secret in b"".join(chunks) for secret in (b"hunter22", b"line-of-a-key"))


@pytest.mark.parametrize("split", range(9))
def test_a_secret_is_masked_across_the_cut_of_a_long_line(split: int) -> None:
    for filler in range(LINE_BYTES - 10, LINE_BYTES + 2):
        log, _ = pumped([b"x" * filler, b"hunter22"[:split], b"hunter22"[split:], b"y" * LINE_BYTES], "hunter22")

        assert text_of(log) == b"x" * filler + b"***" + b"y" * LINE_BYTES + b"\n"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("ab \n", min_size=1, max_size=20), max_size=8))
def test_the_last_line_is_the_last_that_is_not_blank(chunks: list[str]) -> None:
    _, last = pumped([chunk.encode() for chunk in chunks])

    lines = [line for line in "".join(chunks).split("\n") if line.strip()]
    assert (last or "").strip() == (lines[-1].strip() if lines else "")


def test_long_lines_pass_at_50_megabytes_a_second() -> None:
    pump = LogPump(Reactor(), lambda lines: None)
    chunk = b"x" * 65536
    began = time.process_time()

    for _ in range(400):
        os.write(pump.stdout, chunk)
        pump.drain()
    megabytes_a_second = 400 * 65536 / 1e6 / (time.process_time() - began)
    pump.close_child_ends()
    pump.close()

    assert megabytes_a_second > 50 / at_pace(1)
