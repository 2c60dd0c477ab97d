"""XCom values: what Python holds survives JSON, and what cannot is refused with advice."""

import json
from datetime import UTC, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.mappable import TAG
from flowd.sdk.xcom_json import from_json, to_json

zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
hashable = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=zones),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.binary(),
)
values = st.recursive(
    hashable | st.sets(hashable, max_size=3) | st.frozensets(hashable, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.just(TAG) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_a_value_survives_json(value: Any) -> None:
    restored = from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))

    assert restored == value
    assert type(restored) is type(value)


@given(values)
def test_plain_json_is_stored_as_it_is(value: Any) -> None:
    document = to_json(value)

    if isinstance(value, (list, str)):
        assert isinstance(document, type(value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"rows": [1, {"path": Path("/x")}]}, r"value\['rows'\]\[1\]\['path'\] is a pathlib.PosixPath, .*str\(path\)"),
        ([object()], r"value\[0\] is a builtins.object, .*dataclasses.asdict"),
        ({Fraction(1, 3)}, "an item of value is a Fraction"),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_place_and_an_alternative(value: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        to_json(value)


def test_not_a_number_survives_as_a_tag() -> None:
    document = to_json(float("nan"))

    assert document == {TAG: "float", "value": "nan"}
    assert from_json(document) != from_json(document)


def test_an_unknown_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="has the tag 'pickle'"):
        from_json({TAG: "pickle", "value": 1})
