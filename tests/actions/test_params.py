"""What a DAG is triggered with is held against the schemas of its parameters."""

from typing import Any

import pytest

from flowd.actions.params import check_params
from flowd.domain.errors import InvalidInput
from tests.support.specs import a_dag, a_task


def dag(**params: Any) -> Any:
    return a_dag(a_task("a"), params={name: {"description": None, **one} for name, one in params.items()})


NUMBER = {"value": 3, "schema": {"type": "integer", "maximum": 9}}
REQUIRED = {"value": None, "schema": {"type": "string"}}


@pytest.mark.parametrize(
    ("params", "conf"),
    [
        ({"n": NUMBER}, {}),
        ({"n": NUMBER}, {"n": 9}),
        ({"n": NUMBER}, {"undeclared": object}),
        ({"s": REQUIRED}, {"s": "given"}),
        ({"plain": {"value": [1], "schema": {}}}, {"plain": "anything"}),
        ({"maybe": {"value": None, "schema": {"type": ["null", "string"]}}}, {}),
    ],
)
def test_values_that_the_schemas_allow_are_let_pass(params: dict[str, Any], conf: dict[str, Any]) -> None:
    check_params(dag(**params), conf)


@pytest.mark.parametrize(
    ("params", "conf", "text"),
    [
        ({"n": NUMBER}, {"n": 77}, "n: 77 is greater than the maximum of 9"),
        ({"n": NUMBER}, {"n": "3"}, "n: '3' is not of type 'integer'"),
        ({"s": REQUIRED}, {}, "s has no default and was not given; add it to conf"),
        ({"d": {"value": "x", "schema": {"type": "string", "format": "date"}}}, {}, "d: 'x' is not a 'date'"),
        ({"b": {"value": 1, "schema": {"type": "no such"}}}, {}, "b has a schema that is none"),
    ],
)
def test_each_parameter_at_fault_is_named_with_what_is_wrong(
    params: dict[str, Any], conf: dict[str, Any], text: str
) -> None:
    with pytest.raises(InvalidInput, match="cannot run with these parameters: ") as refusal:
        check_params(dag(**params), conf)

    assert text in str(refusal.value)
