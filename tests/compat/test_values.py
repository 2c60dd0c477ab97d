"""The functions of airflow.utils that need nothing but their arguments."""

from typing import Any

import pytest

from flowd.compat import values
from flowd.compat.dotted_names import import_string, is_valid_dotpath, qualname
from flowd.compat.logging_mixin import remove_escape_codes
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.not_set import NOTSET, is_arg_set


@pytest.mark.parametrize(
    ("function", "arguments", "wanted"),
    [
        (values.exactly_one, (None, 1, ""), True),
        (values.exactly_one, (1, 1), False),
        (values.at_most_one, (None, "", 1), True),
        (values.at_most_one, (1, True), False),
        (values.at_most_one, (1, NOTSET), True),
        (is_arg_set, (None,), True),
        (is_arg_set, (NOTSET,), False),
        (values.is_container, ("text",), False),
        (values.is_container, ([1],), True),
        (values.as_flattened_list, ([[1], [2, 3]],), [1, 2, 3]),
        (values.merge_dicts, ({"a": {"x": 1, "y": 1}, "b": 1}, {"a": {"y": 2}, "b": {"z": 3}}),
         {"a": {"x": 1, "y": 2}, "b": {"z": 3}}),
        (values.prune_dict, ({"a": None, "b": 0, "c": [None, {"d": None}], "e": "x"},), {"b": 0, "c": [{}], "e": "x"}),
        (values.prune_dict, ({"a": None, "b": 0, "c": [None, {"d": None}], "e": "x"}, "truthy"), {"e": "x"}),
        (values.convert_camel_to_snake, ("TaskInstanceState",), "task_instance_state"),
        (values.to_boolean, ("Yes",), True),
        (values.to_boolean, ("no",), False),
        (values.to_boolean, (None,), False),
        (remove_escape_codes, ("\x1b[31mred\x1b[0m",), "red"),
        (qualname, (values.to_boolean,), "flowd.compat.values.to_boolean"),
        (qualname, (3,), "builtins.int"),
        (is_valid_dotpath, ("a.b_c.D1",), True),
        (is_valid_dotpath, ("a..b",), False),
        (is_valid_dotpath, (3,), False),
        (import_string, ("flowd.compat.values.chunks",), values.chunks),
    ],
)  # fmt: skip
def test_each_answers_as_airflows_does(function: Any, arguments: tuple[Any, ...], wanted: Any) -> None:
    assert function(*arguments) == wanted


def test_items_are_split_and_parted() -> None:
    odd, even = values.partition(lambda number: number % 2 == 0, range(5))

    assert list(values.chunks([1, 2, 3], 2)) == [[1, 2], [3]]
    assert ([*odd], [*even]) == ([1, 3], [0, 2, 4])
    assert len(values.get_random_string(12, "ab")) == 12


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        (values.exactly_one, ([1, 2],), ValueError, "is a container; give its items one by one"),
        (values.prune_dict, ({}, "all"), ValueError, "mode is 'all', wanted 'strict' or 'truthy'"),
        (lambda size: list(values.chunks([1], size)), (0,), ValueError, "chunk_size is 0, wanted 1 or more"),
        (values.validate_key, (3,), TypeError, "the key is a int, wanted text"),
        (values.validate_key, ("a b",), AirflowException, "'a b' may hold letters, digits"),
        (values.validate_key, ("abc", 2), AirflowException, "the key has 3 characters, at most 2 wanted"),
        (import_string, ("json",), ImportError, "'json' is no dotted name"),
        (import_string, ("json.lods",), ImportError, "module 'json' has no 'lods'"),
    ],
)
def test_a_mistake_is_named(function: Any, arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        function(*arguments)
