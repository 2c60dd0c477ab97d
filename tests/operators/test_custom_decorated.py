"""Variants of @task that providers make."""

from functools import partial
from typing import Any

import pytest

from flowd import DAG, BaseOperator
from flowd.domain.errors import InvalidDag
from flowd.operators.custom_decorated import (
    DecoratedOperator,
    context_merge,
    is_async_callable,
    make_kwargs_callable,
    task_decorator_factory,
)
from tests.operators.running import execute


class Query(BaseOperator):
    template_fields: tuple[str, ...] = ("sql",)

    def __init__(self, *, sql: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql = sql

    def execute(self, context: Any) -> Any:
        return f"ran {self.sql}"


class DecoratedQuery(DecoratedOperator, Query):
    custom_operator_name = "@task.query"
    template_fields = (*DecoratedOperator.template_fields, *Query.template_fields)

    def execute(self, context: Any) -> Any:
        context_merge(context, self.op_kwargs)
        self.sql = self.python_callable(*self.op_args, **self.determine_kwargs(context))
        self.render_template_fields(context)
        return super().execute(context)


query: Any = partial(task_decorator_factory, decorated_operator_class=DecoratedQuery)


def test_a_providers_variant_of_task_runs_its_operator_with_what_the_function_returns() -> None:
    with DAG("d", schedule=None) as dag:

        @query(multiple_outputs=False, owner="me")  # type: ignore[untyped-decorator]
        def rows(table: str, ds: Any = None, *, limit: int) -> str:
            return f"select {limit} from {table} where day = '{{{{ run_id }}}}'"

        first = rows("t", limit=2)
        rows("u", limit=3)

    assert first.operator.operator_name == "@task.query"
    assert (dag.task_ids, dag.get_task("rows").owner) == (["rows", "rows__1"], "me")
    assert execute(dag.get_task("rows")) == "ran select 2 from t where day = 'manual__1'"


def test_a_bare_variant_works_and_wrong_arguments_are_refused_when_the_dag_is_written() -> None:
    with DAG("d", schedule=None):

        @query  # type: ignore[untyped-decorator]
        def rows(table: str) -> str:
            return table

        with pytest.raises(InvalidDag, match=r"@task 'rows'\(table: str\) -> str: missing a required argument"):
            rows()


def other(function: Any) -> Any:
    return function


def test_the_source_is_that_of_the_function_without_its_task() -> None:
    task = query
    with DAG("d", schedule=None):

        @task(  # type: ignore[untyped-decorator]
            owner="me",
        )
        @other
        def rows(table: str) -> str:
            return table

        made = rows("t").operator

    assert isinstance(made, DecoratedQuery)
    assert made.get_python_source() == "@other\ndef rows(table: str) -> str:\n    return table\n"


def test_functions_are_told_apart_and_called_with_what_they_name() -> None:
    async def waits() -> None: ...

    assert [is_async_callable(one) for one in (waits, partial(waits), print)] == [True, True, False]
    assert make_kwargs_callable(lambda a, b=0: (a, b))(1, b=2, c=3) == (1, 2)
