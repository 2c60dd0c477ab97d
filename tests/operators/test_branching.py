"""Branches and short circuits: what is skipped, and choices that cannot be followed."""

from collections.abc import Callable
from typing import Any

import pytest

from flowd import (
    DAG,
    BaseBranchOperator,
    BranchPythonOperator,
    EmptyOperator,
    ShortCircuitOperator,
    TaskGroup,
    task,
)
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.exceptions import AirflowException
from tests.operators.running import context_for, execute


def branching(choose: Callable[[], Any]) -> BaseOperator:
    """branch >> [a, b, join, group of c >> d]; a, b and the group >> join."""
    with DAG("etl"):
        branch = BranchPythonOperator(task_id="branch", python_callable=choose)
        a, b, join = (EmptyOperator(task_id=name) for name in ("a", "b", "join"))
        with TaskGroup("g") as group:
            EmptyOperator(task_id="c") >> EmptyOperator(task_id="d")
        branch >> [a, b, join, group]
        [a, b, group] >> join
    return branch


@pytest.mark.parametrize(
    ("chosen", "skipped"),
    [
        ("a", ["b", "g.c"]),
        (["a", "b"], ["g.c"]),
        ({"b"}, ["a", "g.c"]),
        ("g", ["a", "b"]),
        ("join", ["a", "b", "g.c"]),
        (None, ["a", "b", "g.c", "join"]),
        ([], ["a", "b", "g.c", "join"]),
    ],
)
def test_all_but_the_chosen_and_what_is_behind_them_is_skipped(chosen: Any, skipped: list[str]) -> None:
    branch = branching(lambda: chosen)
    context = context_for(branch)

    assert execute(branch, context) == chosen
    assert context["ti"].skipped == skipped


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("joi", "branch 'branch' chose 'joi', which is not directly downstream of it; did you mean 'join'"),
        ("g.d", "chose 'g.d', which is not directly downstream"),
        (True, "returned True; wanted a task id, several, or None"),
        ([1], r"returned \[1\]; wanted a task id"),
    ],
)
def test_a_choice_that_cannot_be_followed_fails_the_task(chosen: Any, message: str) -> None:
    with pytest.raises(AirflowException, match=message):
        execute(branching(lambda: chosen))


def test_a_branch_class_and_a_branch_function_choose_too() -> None:
    class First(BaseBranchOperator):
        def choose_branch(self, context: Any) -> str:
            return min(self.downstream_task_ids)

    with DAG("etl"):
        by_class = First(task_id="by_class")
        by_function = task.branch(lambda: "b").override(task_id="by_function")().operator
        for branch in (by_class, by_function):
            branch >> [EmptyOperator(task_id=f"{branch.task_id}_{name}") for name in "ab"]
    context = context_for(by_class)
    execute(by_class, context)

    assert context["ti"].skipped == ["by_class_b"]
    with pytest.raises(AirflowException, match="chose 'b'"):
        execute(by_function)


@pytest.mark.parametrize("make", [ShortCircuitOperator, None])
@pytest.mark.parametrize("ignore", [True, False])
@pytest.mark.parametrize("condition", [True, False, None, "", "go"])
def test_a_short_circuit_skips_where_its_condition_fails(make: Any, ignore: bool, condition: Any) -> None:
    with DAG("etl"):
        keywords = {"task_id": "check", "ignore_downstream_trigger_rules": ignore}
        if make is None:
            check = task.short_circuit(lambda: condition).override(**keywords)().operator
        else:
            check = make(python_callable=lambda: condition, **keywords)
        check >> [EmptyOperator(task_id="b"), EmptyOperator(task_id="a")] >> EmptyOperator(task_id="c")
    context = context_for(check)

    assert execute(check, context) == condition
    behind = ["a", "b", "c"] if ignore else ["a", "b"]
    assert context["ti"].skipped == ([] if condition else behind)
