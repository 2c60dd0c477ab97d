"""Edges: arrows, lists, labels, chain and cross_downstream."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd import DAG, EmptyOperator, Label, TaskGroup, chain, chain_linear, cross_downstream
from flowd.domain.errors import InvalidDag


def a_dag(**keywords: Any) -> DAG:
    return DAG("edges", start_date=datetime(2026, 1, 1), **keywords)


def edges(dag: DAG) -> set[tuple[str, str]]:
    return {(task.task_id, below) for task in dag.tasks for below in task.downstream_task_ids}


def test_arrows_link_tasks_and_lists_both_ways() -> None:
    with a_dag() as dag:
        a, b, c, d = (EmptyOperator(task_id=name) for name in "abcd")

        a >> [b, c] >> d
        d << a

    assert edges(dag) == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d")}
    assert dag.get_task("d").upstream_task_ids == {"a", "b", "c"}


@given(st.lists(st.integers(1, 3), min_size=2, max_size=5))
def test_chain_linear_links_every_task_to_every_task_of_the_next_element(widths: list[int]) -> None:
    with a_dag() as dag:
        layers = [[EmptyOperator(task_id=f"t{n}_{i}") for i in range(width)] for n, width in enumerate(widths)]

        chain_linear(*layers)

    wanted = {(one.task_id, two.task_id) for above, below in pairwise(layers) for one in above for two in below}
    assert edges(dag) == wanted


@given(st.lists(st.booleans(), min_size=2, max_size=6))
def test_chain_links_neighbours_and_pairs_of_lists(is_list: list[bool]) -> None:
    with a_dag() as dag:
        elements = [
            [EmptyOperator(task_id=f"t{n}_{i}") for i in range(2)] if wide else EmptyOperator(task_id=f"t{n}")
            for n, wide in enumerate(is_list)
        ]

        chain(*elements)

    assert len(edges(dag)) == sum(2 if one or two else 1 for one, two in pairwise(is_list))


def test_chain_refuses_neighbouring_lists_of_different_length() -> None:
    with a_dag():
        a, b, c = (EmptyOperator(task_id=name) for name in "abc")

        with pytest.raises(InvalidDag, match="a list of 1 beside a list of 2"):
            chain([a], [b, c])


def test_cross_downstream_links_all_to_all() -> None:
    with a_dag() as dag:
        a, b, c, d = (EmptyOperator(task_id=name) for name in "abcd")

        cross_downstream([a, b], [c, d])

    assert edges(dag) == {("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")}


def test_a_label_stands_on_every_edge_it_is_between() -> None:
    with a_dag() as dag:
        a, b, c, d = (EmptyOperator(task_id=name) for name in "abcd")

        [a, b] >> Label("if full") >> c
        d << Label("else") << a

    assert dag.edge_info == {
        "a": {"c": {"label": "if full"}, "d": {"label": "else"}},
        "b": {"c": {"label": "if full"}},
    }
    assert edges(dag) == {("a", "c"), ("b", "c"), ("a", "d")}


def test_groups_are_linked_by_their_first_and_last_tasks() -> None:
    with a_dag() as dag:
        with TaskGroup("one") as one:
            EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")
        with TaskGroup("two") as two:
            EmptyOperator(task_id="c")
            EmptyOperator(task_id="d")

        one >> Label("then") >> two

    assert edges(dag) == {("one.a", "one.b"), ("one.b", "two.c"), ("one.b", "two.d")}
    assert dag.edge_info["one.b"]["two.c"] == {"label": "then"}


def test_a_task_without_a_dag_joins_its_neighbours() -> None:
    dag = a_dag()
    a, b = EmptyOperator(task_id="a", dag=dag), EmptyOperator(task_id="b")

    a >> b

    assert b.dag is dag
    assert dag.task_ids == ["a", "b"]


def test_tasks_that_are_in_no_dag_cannot_be_linked() -> None:
    with pytest.raises(InvalidDag, match="'a' and 'b' were linked, but neither is in a DAG"):
        EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")


def test_tasks_of_two_dags_cannot_be_linked() -> None:
    a = EmptyOperator(task_id="a", dag=DAG("one"))
    b = EmptyOperator(task_id="b", dag=DAG("two"))

    with pytest.raises(InvalidDag, match="'b' is in DAG 'two', and cannot be in 'one' too"):
        a >> b


def test_only_tasks_have_edges() -> None:
    with a_dag():
        with pytest.raises(InvalidDag, match="'b' is a str; only tasks, groups, outputs and lists have edges"):
            EmptyOperator(task_id="a") >> "b"
