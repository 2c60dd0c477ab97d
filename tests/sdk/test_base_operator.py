"""BaseOperator: keywords, default_args as in Airflow, template fields that make edges."""

from abc import ABC
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowd import DAG, BaseOperator, EmptyOperator, TaskGroup, XComArg
from flowd.domain.errors import InvalidDag
from flowd.sdk.exceptions import AirflowException, DuplicateTaskIdFound


class Extract(BaseOperator):
    template_fields = ("path", "options")

    def __init__(self, path: Any, options: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.options = options

    def execute(self, context: Any) -> Any:
        return self.path


class ExtractTwice(Extract, ABC):
    def __init__(self, *, times: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.times = times


def test_each_class_of_the_chain_takes_the_default_args_it_accepts() -> None:
    with DAG("d", default_args={"path": "/in", "times": 2, "owner": "ana", "retries": "3", "unheard_of": 1}):
        task = ExtractTwice(task_id="t")  # type: ignore[call-arg]

    assert (task.path, task.times, task.owner, task.retries) == ("/in", 2, "ana", 3)


def test_the_most_specific_default_wins() -> None:
    with DAG("d", default_args={"owner": "dag", "queue": "dag", "pool": "dag", "path": "dag"}):
        with TaskGroup("outer", default_args={"queue": "outer", "pool": "outer", "path": "outer"}):
            with TaskGroup("inner", default_args={"pool": "inner", "path": "inner"}):
                task = Extract(task_id="t", path="own")

    assert (task.owner, task.queue, task.pool, task.path) == ("dag", "outer", "inner", "own")
    assert task.task_id == "outer.inner.t"


def test_default_args_given_to_the_task_come_before_the_dags() -> None:
    with DAG("d", default_args={"owner": "dag"}):
        task = Extract(task_id="t", path="p", default_args={"owner": "task"})

    assert task.owner == "task"


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(InvalidDag, match="Extract 't': missing argument 'path'"):
        Extract(task_id="t")  # type: ignore[call-arg]


def test_an_unknown_keyword_is_named_with_the_nearest_known() -> None:
    with pytest.raises(InvalidDag, match="Extract 't': unknown keyword 'retry_dealy'; did you mean 'retry_delay'"):
        Extract(task_id="t", path="p", retry_dealy=timedelta(1))


def test_arguments_need_their_names() -> None:
    with pytest.raises(InvalidDag, match="arguments need their names"):
        Extract("p", task_id="t")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"task_id": "a b"}, "task_id 'a b': wanted only letters"),
        ({"task_id": "x" * 251}, "has 251 characters, wanted at most 250"),
        ({"retries": "many"}, "retries is 'many', wanted a whole number"),
        ({"execution_timeout": "1h"}, "execution_timeout is '1h', wanted a timedelta"),
        ({"start_date": "soon"}, "start_date is 'soon', wanted a datetime"),
        ({"pool_slots": 0}, "pool_slots is 0, wanted 1 or more"),
    ],
)
def test_a_value_of_the_wrong_type_says_what_was_wanted(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDag, match=message):
        Extract(**{"task_id": "t", "path": "p", **keywords})


def test_numbers_of_seconds_and_naive_dates_are_understood() -> None:
    zone = ZoneInfo("Europe/Zurich")
    with DAG("d", start_date=datetime(2026, 1, 1, tzinfo=zone)):
        task = Extract(task_id="t", path="p", retry_delay=30, end_date=datetime(2026, 2, 1))
    alone = Extract(task_id="t", path="p", start_date=datetime(2026, 1, 1))

    assert task.retry_delay == timedelta(seconds=30)
    assert task.end_date == datetime(2026, 2, 1, tzinfo=zone)
    assert alone.start_date == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_output_in_a_template_field_makes_an_edge_however_deep() -> None:
    with DAG("d") as dag:
        first, second = Extract(task_id="first", path="p"), Extract(task_id="second", path="p")
        third = Extract(task_id="third", path=first.output, options={"a": [("b", second.output["k"])]})

    assert third.upstream_task_ids == {"first", "second"}
    assert dag.leaves == [third]
    assert isinstance(third.path, XComArg)


def test_a_template_field_that_is_no_attribute_is_refused() -> None:
    class Broken(BaseOperator):
        template_fields = ("nothing",)

    with pytest.raises(InvalidDag, match="template field 'nothing' is no attribute"):
        Broken(task_id="t")


def test_one_template_field_needs_its_comma() -> None:
    class Commaless(BaseOperator):
        template_fields = "sql"

    with pytest.raises(InvalidDag, match=r"Commaless.template_fields is the text 'sql', .* comma: \('sql',\)"):
        Commaless(task_id="t")


def test_two_tasks_of_one_id_are_refused() -> None:
    with DAG("d"):
        EmptyOperator(task_id="t")

        with pytest.raises(DuplicateTaskIdFound, match="task id 't' is taken"):
            EmptyOperator(task_id="t")


def test_an_operator_that_defines_no_execute_says_so() -> None:
    with pytest.raises(AirflowException, match="define execute"):
        BaseOperator(task_id="t").execute({})


def test_relatives_are_found_on_both_sides() -> None:
    with DAG("d") as dag:
        a, b, c = (EmptyOperator(task_id=name) for name in "abc")
        a >> b >> c

    assert a.get_flat_relative_ids() == {"b", "c"}
    assert c.get_flat_relatives(upstream=True) == [b, a]
    assert (dag.roots, dag.leaves) == ([a], [c])
