"""XComs of numpy and pandas: they come back as they were, without pickles, or are refused with advice."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import numpy
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal

from flowd.domain.mappable import TAG
from flowd.sdk.xcom_json import from_json, to_json

FRAMES = {
    "numbers": pandas.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 2.5]}),
    "texts, categories and truths": pandas.DataFrame(
        {"t": ["x", None, "Grüße"], "c": pandas.Categorical(["u", "v", "u"]), "b": [True, False, True]}
    ),
    "moments": pandas.DataFrame({"at": pandas.to_datetime(["2026-01-01T00:00:00.123456789", None]).tz_localize("UTC")}),
    "an index of its own": pandas.DataFrame({"a": [1, 2]}, index=pandas.Index(["x", "y"], name="key")),
    "a multi-index": pandas.DataFrame({"a": [1, 2]}, index=pandas.MultiIndex.from_tuples([("x", 1), ("y", 2)])),
    "no rows": pandas.DataFrame({"a": pandas.Series([], dtype="int64")}),
    "columns that are numbers": pandas.DataFrame([[1, 2], [3, 4]]),
}


def there_and_back(value: Any) -> Any:
    return from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))


@pytest.mark.parametrize("name", FRAMES)
def test_a_table_comes_back_as_it_was(name: str) -> None:
    assert_frame_equal(there_and_back({"table": [FRAMES[name]]})["table"][0], FRAMES[name])


@pytest.mark.parametrize("name", [None, "weight", "values"])
def test_a_series_comes_back_with_its_name_and_index(name: str | None) -> None:
    series = pandas.Series([1.5, 2.5], index=["x", "y"], name=name)

    assert_series_equal(there_and_back(series), series)


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1) | st.floats(width=32), max_size=12),
    st.sampled_from(["int64", "float32", "complex128", "U8", "bool", "datetime64[ns]"]),
)
def test_an_array_comes_back_with_its_type_and_shape(numbers: list[float], kind: str) -> None:
    with numpy.errstate(all="ignore"):
        array = numpy.array([0 if n != n or abs(n) > 2**31 else int(n) for n in numbers]).astype(kind).reshape(1, -1, 1)

    restored = there_and_back(array)

    assert restored.dtype == array.dtype
    assert restored.shape == array.shape
    assert (restored == array).all()


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (numpy.int64(7), 7),
        (numpy.float32(0.5), 0.5),
        (numpy.bool_(True), True),
        (numpy.str_("x"), "x"),
        (pandas.NaT, None),
    ],
)
def test_a_scalar_that_json_has_is_stored_as_json(value: Any, stored: Any) -> None:
    document = to_json([value])

    assert document == [stored]
    assert type(document[0]) is type(stored)


@pytest.mark.parametrize("value", [numpy.complex64(1 + 2j), numpy.datetime64("2026-01-01T00:00:00.123456789")])
def test_another_scalar_comes_back_with_its_type(value: Any) -> None:
    restored = there_and_back(value)

    assert restored == value
    assert type(restored) is type(value)


def test_a_pandas_moment_is_a_datetime() -> None:
    assert there_and_back(pandas.Timestamp("2026-01-01T00:00:00Z")) == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": numpy.array([object()])}, r"value\['a'\] is a ndarray which an XCom cannot hold: Object arrays.*tolist"),
        ([pandas.DataFrame({"o": [object()]})], r"value\[0\] is a DataFrame .* Parquet cannot hold it: .*to_dict"),
        (
            numpy.ma.array([1, 2], mask=[False, True]),
            r"value is a MaskedArray .* its mask would be lost; use value.filled\(\)",
        ),
        (pandas.Series([1], name=3), "value is a Series .* its name is 3, and must be text"),
    ],
)
def test_what_only_a_pickle_could_hold_is_refused_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        to_json(value)


def test_a_stored_array_of_objects_is_not_unpickled() -> None:
    file = BytesIO()
    numpy.save(file, numpy.array([{}], dtype=object), allow_pickle=True)

    with pytest.raises(ValueError, match="allow_pickle=False"):
        from_json({TAG: "numpy", "value": base64.b64encode(file.getvalue()).decode()})


@pytest.mark.parametrize(("tag", "library"), [("numpy", "numpy"), ("frame", "pandas"), ("series", "pandas")])
def test_a_reader_without_the_library_is_told_its_name(tag: str, library: str) -> None:
    value = {"numpy": numpy.array([1]), "frame": FRAMES["numbers"], "series": pandas.Series([1])}[tag]
    program = (
        f"import sys, json; sys.modules[{library!r}] = None\n"
        "from flowd.sdk.xcom_json import from_json\n"
        "try: from_json(json.load(sys.stdin))\n"
        "except ValueError as error: print(error)"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(to_json(value)), capture_output=True, check=True, text=True
    ).stdout

    assert f"an XCom of this kind needs {library}, which is not installed here" in said
