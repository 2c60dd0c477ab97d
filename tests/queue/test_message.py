"""The wire form of task messages."""

import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.assignment import Assignment, RunContext
from flowd.domain.errors import InvalidInput, InvalidMessage
from flowd.domain.ids import DagId
from flowd.domain.states import RunType
from flowd.domain.work import BashWork, PythonWork, Work
from flowd.queue.message import Outline, SigningKeys, read, sign
from tests.queue.assignments import assignment

KEYS = SigningKeys.from_secrets(["a secret"])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)
works: st.SearchStrategy[Work] = st.one_of(
    st.builds(
        BashWork,
        script=st.text(),
        env=st.none() | st.dictionaries(st.text(), st.text(), max_size=3),
        append_env=st.booleans(),
        cwd=st.none() | st.text(),
        push_last_line=st.booleans(),
    ),
    st.builds(PythonWork, file=st.text(), callable=st.text()),
)


@given(
    work=works,
    conf=st.dictionaries(st.text(), json_values, max_size=3),
    dag_id=st.text(min_size=1),
    map_index=st.integers(-1, 10**6),
    timeout=st.none() | st.integers(1, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
    moment=st.datetimes(timezones=st.timezones()),
)
def test_what_was_signed_is_read_back(
    work: Work, conf: dict[str, Any], dag_id: str, map_index: int, timeout: timedelta | None, moment: Any
) -> None:
    run = RunContext(run_type=RunType.SCHEDULED, run_after=moment.astimezone(tz=None), logical_date=None, conf=conf)
    sent = assignment(
        work=work, dag_id=DagId(dag_id), map_index=map_index, execution_timeout=timeout, run=run, queue="größe"
    )

    assert read(sign(sent, KEYS), KEYS) == sent


def test_a_person_can_read_what_a_message_is_about() -> None:
    message = sign(assignment(7, script="echo 'Grüße' && exit 3"), KEYS).decode()

    header, body = message.split("\n", 1)
    assert header.split(" ")[:2] == ["flowd1", next(iter(KEYS.by_id))]
    assert '"dag_id": "etl"' in body
    assert '"task_id": "task_7"' in body
    assert '"script": "echo \'Grüße\' && exit 3"' in body


def test_every_single_flipped_bit_is_refused() -> None:
    message = sign(assignment(), KEYS)

    for index in range(len(message) * 8):
        altered = bytearray(message)
        altered[index // 8] ^= 1 << index % 8
        with pytest.raises(InvalidMessage):
            read(bytes(altered), KEYS)


def test_every_truncated_or_longer_message_is_refused() -> None:
    message = sign(assignment(), KEYS)

    for altered in [*(message[:length] for length in range(len(message))), message + b" ", message + b"\n"]:
        with pytest.raises(InvalidMessage):
            read(altered, KEYS)


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read(noise, KEYS)


def test_a_message_of_another_cluster_is_refused() -> None:
    message = sign(assignment(), SigningKeys.from_secrets(["another secret"]))

    with pytest.raises(InvalidMessage, match="a key that this node does not have"):
        read(message, KEYS)


def test_a_message_under_our_key_id_and_anothers_key_is_refused() -> None:
    forged = sign(assignment(), SigningKeys({KEYS.signing[0]: b"guess"}))

    with pytest.raises(InvalidMessage, match="the signature does not fit"):
        read(forged, KEYS)


def test_keys_rotate_without_a_gap() -> None:
    old = SigningKeys.from_secrets(["old"])
    both = SigningKeys.from_secrets(["new", "old"])
    new = SigningKeys.from_secrets(["new"])

    assert read(sign(assignment(), old), both) == assignment()
    assert read(sign(assignment(), both), new) == assignment()
    with pytest.raises(InvalidMessage):
        read(sign(assignment(), both), old)


def test_the_secret_itself_is_neither_a_key_nor_shown() -> None:
    keys = SigningKeys.from_secrets(["a secret"])

    assert b"a secret" not in keys.by_id.values()
    assert "secret" not in repr(keys)
    assert repr(keys.signing[1]) not in repr(keys)


@pytest.mark.parametrize("secrets", [[], [""], ["good", ""]])
def test_keys_are_not_made_from_nothing(secrets: list[str]) -> None:
    with pytest.raises(InvalidInput):
        SigningKeys.from_secrets(secrets)


def test_an_assignment_too_long_for_the_broker_is_sent_as_its_outline() -> None:
    sent = assignment(9, script="x" * 5000, map_index=4)

    message = sign(sent, KEYS, limit_bytes=4096)
    outline = read(message, KEYS, limit_bytes=4096)

    assert len(message) < 4096
    assert outline == Outline.of(sent)
    assert isinstance(outline, Outline)
    assert (outline.instance, outline.try_number, outline.map_index) == (9, 1, 4)


def test_an_assignment_that_just_fits_is_sent_whole() -> None:
    sent = assignment()
    length = len(sign(sent, KEYS))

    assert isinstance(read(sign(sent, KEYS, limit_bytes=length), KEYS), Assignment)
    assert isinstance(read(sign(sent, KEYS, limit_bytes=length - 1), KEYS), Outline)


def test_a_message_longer_than_the_limit_is_refused_before_it_is_looked_at() -> None:
    message = sign(assignment(), KEYS)

    with pytest.raises(InvalidMessage, match=rf"{len(message)} bytes, at most 100 are read"):
        read(message, KEYS, limit_bytes=100)


BODIES = {
    "not JSON": b"echo hello",
    "not UTF-8": b'{"work": "\xff"}',
    "not an object": b"[1, 2]",
    "a number": b"7",
    "nothing": b"",
    "empty": b"{}",
    "nested too deep": b"[" * 100_000 + b"]" * 100_000,
    "nested too deep inside": b'{"work": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    "an outline without names": b'{"work": null}',
    "work of an unknown kind": b'{"work": {"kind": "magic, top-secret"}}',
    "endless timeout": json.dumps({"work": {}, "run": {}, "execution_timeout": 1e300}).encode(),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_signed_body_that_is_no_assignment_is_refused_and_not_quoted(body: bytes) -> None:
    message = signed_anyway(body)

    with pytest.raises(InvalidMessage, match="signed, but no assignment") as refusal:
        read(message, KEYS)

    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None and refusal.value.__suppress_context__


def signed_anyway(body: bytes) -> bytes:
    """Sign what `sign` never would."""
    key_id, key = KEYS.signing
    return b"flowd1 " + key_id.encode() + b" " + hmac.new(key, body, "sha256").hexdigest().encode() + b"\n" + body
