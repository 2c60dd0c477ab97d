"""Param and ParamsDict."""

import pytest

from flowd import DAG, Param
from flowd.domain.errors import InvalidDag
from flowd.sdk.exceptions import ParamValidationError
from flowd.sdk.param import ParamsDict


def test_a_param_keeps_its_schema_and_says_what_it_holds() -> None:
    param = Param(3, "how many", type="integer", maximum=5)

    assert param.dump() == {"value": 3, "description": "how many", "schema": {"type": "integer", "maximum": 5}}
    assert (param.resolve(), param.resolve(None)) == (3, None)


def test_a_param_without_a_value_cannot_be_resolved() -> None:
    param = Param(type="string")

    assert not param.has_value
    with pytest.raises(ParamValidationError, match="the parameter has no value"):
        param.resolve()


def test_a_plain_value_replaces_the_value_and_not_the_schema() -> None:
    params = ParamsDict({"limit": Param(1, "rows", type="integer"), "plain": "x"})

    params["limit"] = 2
    del params["plain"]

    assert params.dump() == {"limit": 2}
    assert params.get_param("limit").description == "rows"
    assert params.get_param("limit").schema == {"type": "integer"}


def test_a_param_a_dag_does_not_have_is_refused_with_the_nearest() -> None:
    dag = DAG("d", params={"limit": 1})

    assert dag.param("limit").resolve({"params": {"limit": 7}}) == 7
    assert str(dag.param("limit")) == "{{ params.limit }}"
    assert dag.param("new", 5).resolve({"params": {}}) == 5
    with pytest.raises(InvalidDag, match="DAG 'd' has no param 'limt'; did you mean 'limit'"):
        dag.param("limt")
