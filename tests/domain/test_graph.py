"""Graphs: order, reach, and what is no DAG."""

import pytest
from hypothesis import given

from flowd.domain.errors import InvalidDag
from flowd.domain.graph import Graph, graph_of
from flowd.domain.ids import TaskId
from flowd.domain.task_spec import TaskSpec
from tests.support.specs import a_dag, a_graph, a_task, graphs, ids


def test_tasks_come_after_their_upstreams_and_leaves_are_what_nothing_waits_for() -> None:
    graph = a_graph(
        a_task("load", after=["clean", "check"]), a_task("clean", after=["get"]), a_task("check"), a_task("get")
    )

    order = list(graph.tasks)

    assert [one for one in order if one != "check"] == ["get", "clean", "load"]
    assert order.index(TaskId("check")) < order.index(TaskId("load"))
    assert graph.leaves == ("load",)
    assert graph.downstream == {"get": ("clean",), "clean": ("load",), "check": ("load",), "load": ()}


def test_reach_leaves_out_the_roots_unless_one_reaches_the_other() -> None:
    graph = a_graph(a_task("a"), a_task("b", after=["a"]), a_task("c", after=["b"]), a_task("alone"))

    assert graph.descendants(ids("a")) == {"b", "c"}
    assert graph.descendants(ids("a", "b")) == {"b", "c"}
    assert graph.ancestors(ids("c")) == {"a", "b"}
    assert graph.descendants(ids("alone")) == graph.ancestors(ids("alone")) == set()


@given(graphs())
def test_edges_agree_in_both_directions_and_point_forward(graph: Graph) -> None:
    order = {task_id: place for place, task_id in enumerate(graph.tasks)}

    up = {(above, task.task_id) for task in graph.tasks.values() for above in task.upstream}
    down = {(task_id, below) for task_id, all_below in graph.downstream.items() for below in all_below}

    assert up == down
    assert all(order[above] < order[below] for above, below in up)
    for task_id in graph.tasks:
        assert {other for other in graph.tasks if task_id in graph.ancestors([other])} == graph.descendants([task_id])


def test_a_dag_of_no_tasks_has_a_graph() -> None:
    graph = a_graph()

    assert graph.leaves == ()


def test_two_tasks_of_one_id_are_refused() -> None:
    with pytest.raises(InvalidDag, match=r"^DAG 'etl': two tasks have the id 'a'; give each its own task_id$"):
        graph_of(a_dag(a_task("a"), a_task("a")))


def test_an_upstream_that_is_not_in_the_dag_is_refused() -> None:
    with pytest.raises(InvalidDag, match=r"^DAG 'etl': task 'b' waits for 'a', which is none of its tasks$"):
        graph_of(a_dag(a_task("b", after=["a"])))


@pytest.mark.parametrize(
    ("tasks", "paths"),
    [
        ([a_task("a", after=["a"])], {"a >> a"}),
        (
            [a_task("a", after=["c"]), a_task("b", after=["a"]), a_task("c", after=["b"])],
            {"a >> b >> c >> a", "b >> c >> a >> b", "c >> a >> b >> c"},
        ),
    ],
)
def test_a_circle_is_refused_and_shown_in_the_direction_of_its_edges(tasks: list[TaskSpec], paths: set[str]) -> None:
    with pytest.raises(InvalidDag) as refused:
        graph_of(a_dag(*tasks))

    text, _, path = str(refused.value).partition("circle: ")
    assert text == "DAG 'etl': its tasks wait for each other in a "
    assert path in paths
