"""PythonOperator, @task and their arguments."""

import asyncio
from typing import Any, TypedDict

import pytest

from flowd import DAG, PythonOperator, get_current_context, task
from flowd.domain.errors import InvalidDag
from flowd.operators.async_operator import BaseAsyncOperator
from flowd.operators.decorated import DecoratedOperator
from flowd.sdk.exceptions import AirflowException
from tests.operators.running import context_for, execute


def python(function: Any, **keywords: Any) -> PythonOperator:
    with DAG("etl"):
        return PythonOperator(task_id="load", python_callable=function, **keywords)


def test_a_function_is_given_its_arguments_and_the_context_it_names() -> None:
    def show(first: str, second: str, run_id: str, *, ti: Any, third: str = "default") -> list[Any]:
        return [first, second, run_id, ti.task_id, third]

    task = python(show, op_args=["{{ run_id }}"], op_kwargs={"second": "{{ task.task_id }}"})

    assert execute(task) == ["manual__1", "load", "manual__1", "load", "default"]


def test_a_function_with_keywords_is_given_the_whole_context() -> None:
    received = execute(python(lambda **context: context, op_kwargs={"own": 1}, templates_dict={"q": "{{ run_id }}"}))

    assert received["own"] == 1
    assert received["templates_dict"] == {"q": "manual__1"}
    assert {"ds", "ti", "params", "prev_start_date_success"} <= received.keys()
    # Only a run of assets asks the server for its events: no server knows the question here.
    assert received["triggering_asset_events"] == {}


def test_what_the_server_knows_is_not_asked_for_a_function_that_does_not_name_it() -> None:
    task = python(lambda ds: ds)

    # No server answers here: a question would raise.
    assert task.execute(context_for(task)) == context_for(task)["ds"]


def test_the_current_context_is_that_of_the_task() -> None:
    assert execute(python(lambda: get_current_context()["task"].task_id)) == "load"


def test_a_generator_is_read_to_its_end() -> None:
    assert execute(python(lambda: (n for n in range(3)))) == [0, 1, 2]


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(InvalidDag, match="python_callable is 'f', which cannot be called"):
        python("f")


class Sizes(TypedDict):
    rows: int


def returns_dict() -> dict[str, int]:
    return {"a": 1}


def returns_typed_dict() -> Sizes:
    return {"rows": 1}


def returns_nothing_said():  # type: ignore[no-untyped-def]
    return {"a": 1}


@pytest.mark.parametrize(
    ("function", "multiple"), [(returns_dict, True), (returns_typed_dict, True), (returns_nothing_said, False)]
)
def test_several_outputs_follow_from_the_annotation(function: Any, multiple: bool) -> None:
    with DAG("etl"):
        assert task(function)().operator.multiple_outputs is multiple
        assert task(multiple_outputs=not multiple)(function)().operator.multiple_outputs is not multiple


@pytest.mark.parametrize(
    ("returned", "message"), [([1], "returned list; wanted a dict"), ({1: 2}, "all keys it returns must be text")]
)
def test_several_outputs_need_a_dict_of_texts(returned: Any, message: str) -> None:
    with DAG("etl"):
        output = task(multiple_outputs=True)(lambda: returned)

    with DAG("etl"), pytest.raises(AirflowException, match=message):
        execute(output.override(task_id="t")().operator)


def test_a_task_function_makes_tasks_with_ids_of_their_own() -> None:
    @task(retries=2, doc_md="own doc")
    def double(x: int, run_id: str) -> int:
        """Double it."""
        return 2 * x

    with DAG("etl") as dag:
        first = double(1)
        second = double.override(retries=5, queue="big")(first)
        third = double(2)

    assert dag.task_ids == ["double", "double__1", "double__2"]
    assert (first.operator.retries, second.operator.retries, second.operator.queue) == (2, 5, "big")
    assert dag.get_task("double__1").upstream_task_ids == {"double"}
    assert (first.operator.operator_name, first.operator.doc_md) == ("@task", "own doc")
    assert execute(third.operator) == 4
    assert double.function(3, "r") == 6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f(), "missing a required argument: 'x'"),
        (lambda f: f(1, 2), "too many positional arguments"),
        (lambda f: f(1, z=2), "got an unexpected keyword argument 'z'"),
        (lambda f: f.expand(y=[1]), "missing a required argument: 'x'"),
        (lambda f: f.partial(x=1).expand(z=[1]), "got an unexpected keyword argument 'z'"),
    ],
)
def test_a_wrong_call_is_refused_where_the_dag_is_written(call: Any, message: str) -> None:
    @task
    def only(x: int, *, ti: Any) -> None: ...

    with DAG("etl"), pytest.raises(InvalidDag, match=message):
        call(only)


def test_a_variant_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"@task.branhc is not in this version of flowd; did you mean 'branch'"):
        task.branhc()


def test_an_output_is_not_known_while_the_dag_is_written() -> None:
    with DAG("etl"):
        output = task(lambda: [1]).override(task_id="t")()

        assert isinstance(output.operator, DecoratedOperator)
        with pytest.raises(InvalidDag, match="the output of task 't' was looped over while the DAG is written"):
            list(output)
        with pytest.raises(InvalidDag, match="key 0 is not text"):
            output[0]  # type: ignore[index]


class Sum(BaseAsyncOperator):
    async def aexecute(self, context: Any) -> Any:
        await asyncio.sleep(0)
        return 3


def test_coroutines_are_run_to_their_end() -> None:
    async def doubled(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    with DAG("d", schedule=None):
        task = PythonOperator(task_id="double", python_callable=doubled, op_args=[4])
        own = Sum(task_id="own")

    assert (execute(task), execute(own)) == (8, 3)
    with pytest.raises(NotImplementedError, match=r"BaseAsyncOperator must define aexecute"):
        execute(BaseAsyncOperator(task_id="none", dag=DAG("e", schedule=None)))
