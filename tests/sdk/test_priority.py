"""Effective priorities: a task's own weight and that of everything on one side of it, each counted once."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.errors import InvalidDag
from flowd.operators.empty import EmptyOperator
from flowd.sdk.dag import DAG
from flowd.sdk.priority import RULES, effective_priorities
from flowd.sdk.priority_strategy import PriorityWeightStrategy

MOST = 12


@st.composite
def dags(draw: st.DrawFn) -> DAG:
    """DAGs of any shape, with any weights and rules."""
    dag = DAG("weighted", schedule=None, start_date=datetime(2024, 1, 1))
    tasks = [
        EmptyOperator(
            task_id=f"t{number}",
            dag=dag,
            priority_weight=draw(st.integers(-3, 9)),
            weight_rule=draw(st.sampled_from(RULES)),
        )
        for number in range(draw(st.integers(1, MOST)))
    ]
    for place, task in enumerate(tasks):
        for other in draw(st.sets(st.sampled_from(tasks[place + 1 :]))) if tasks[place + 1 :] else ():
            task >> other
    return dag


@given(dags())
def test_a_task_bears_the_weight_of_everything_on_its_side(dag: DAG) -> None:
    expected = {
        task.task_id: task.priority_weight
        + sum(
            other.priority_weight
            for other in (task.get_flat_relatives(upstream=rule == "upstream") if rule != "absolute" else ())
        )
        for task in dag.tasks
        for rule in [str(task.weight_rule)]
    }

    assert effective_priorities(dag.tasks) == expected


def test_in_a_circle_each_has_its_own_weight() -> None:
    with DAG("circle", schedule=None, start_date=datetime(2024, 1, 1)) as dag:
        one, other = EmptyOperator(task_id="one", priority_weight=2), EmptyOperator(task_id="other")
        one >> other >> one

    assert effective_priorities(dag.tasks) == {"one": 2, "other": 1}


class ByName(PriorityWeightStrategy):
    """Weighs a task by how long its name is, and its tries."""

    def get_weight(self, ti: Any) -> Any:
        return len(ti.task_id) - ti.try_number if ti.task_id != "broken" else "much"


class NoStrategy:
    """Is none."""


def weighed(task_id: str, weight_rule: Any) -> dict[str, int]:
    with DAG("own", schedule=None, start_date=datetime(2024, 1, 1)) as dag:
        EmptyOperator(task_id=task_id, weight_rule=weight_rule, priority_weight=9) >> EmptyOperator(task_id="other")
    return effective_priorities(dag.tasks)


@pytest.mark.parametrize("weight_rule", [ByName(), f"{__name__}.ByName"])
def test_a_strategy_says_what_its_task_weighs(weight_rule: Any) -> None:
    assert weighed("four", weight_rule) == {"four": 4, "other": 1}


@pytest.mark.parametrize(
    ("task_id", "weight_rule", "message"),
    [
        ("broken", ByName(), "task 'broken': weight_rule ByName: what get_weight returns is 'much'"),
        ("four", "nowhere.Strategy", "weight_rule 'nowhere.Strategy' cannot be imported: No module named 'nowhere'"),
        ("four", f"{__name__}.Absent", "cannot be imported: module .* has no attribute 'Absent'"),
        ("four", f"{__name__}.NoStrategy", "is no PriorityWeightStrategy"),
    ],
)
def test_a_strategy_that_is_none_is_named(task_id: str, weight_rule: Any, message: str) -> None:
    with pytest.raises(InvalidDag, match=message):
        weighed(task_id, weight_rule)
