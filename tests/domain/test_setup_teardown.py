"""Setups and teardowns: which setups count for whom, who decides a run, and what is cleared along, as tables."""

from typing import Any

import pytest

from flowd.domain.dag_run import RunEvent, outcome_of
from flowd.domain.graph import Graph
from flowd.domain.ids import TaskId
from flowd.domain.setup_teardown import Setups, along_with
from flowd.domain.states import TaskState
from flowd.domain.task_spec import TaskRole, TaskSpec
from flowd.domain.trigger_rules import TriggerRule
from tests.support.simulated_run import Outcome, SimulatedRun
from tests.support.specs import a_graph, a_task, ids


def setup(task_id: str, *after: str) -> TaskSpec:
    return a_task(task_id, after=after, role=TaskRole.SETUP)


def work(task_id: str, *after: str, **fields: Any) -> TaskSpec:
    return a_task(task_id, after=after, **fields)


def teardown(task_id: str, *after: str, **fields: Any) -> TaskSpec:
    rule = TriggerRule.ALL_DONE_SETUP_SUCCESS
    return a_task(task_id, after=after, role=TaskRole.TEARDOWN, trigger_rule=rule, **fields)


def a_line(**of_teardown: Any) -> Graph:
    """setup >> a >> b >> teardown, setup >> teardown; b runs whatever becomes of a."""
    return a_graph(
        setup("s"),
        work("a", "s"),
        work("b", "a", trigger_rule=TriggerRule.ALL_DONE),
        teardown("t", "b", "s", **of_teardown),
        work("after", "b", trigger_rule=TriggerRule.ALL_DONE),
    )


def end_of(graph: Graph, **outcomes: TaskState) -> tuple[dict[str, str], RunEvent]:
    """The states after a run in which these tasks end so, and how the run ends."""
    run = SimulatedRun(graph, {TaskId(name): Outcome(state) for name, state in outcomes.items()})
    while run.scheduled or run.untold:
        for task_id in run.scheduled:
            run.run_one_try(task_id)
        run.tell(run.untold)
    return {task: state.value for task, state in run.states.items()}, outcome_of(
        run.states[one] for one in graph.leaves
    )


FAILED, SKIPPED = TaskState.FAILED, TaskState.SKIPPED


@pytest.mark.parametrize(
    ("outcomes", "states", "event"),
    [
        ({}, {}, RunEvent.SUCCEEDED),
        ({"a": FAILED}, {"a": "failed"}, RunEvent.SUCCEEDED),
        ({"b": FAILED}, {"b": "failed"}, RunEvent.SUCCEEDED),
        ({"t": FAILED}, {"t": "failed"}, RunEvent.SUCCEEDED),
        ({"after": FAILED}, {"after": "failed"}, RunEvent.FAILED),
        ({"s": FAILED}, {"s": "failed", **dict.fromkeys("abt", "upstream_failed")}, RunEvent.SUCCEEDED),
        ({"s": SKIPPED}, {"s": "skipped", "a": "skipped", "b": "skipped", "t": "skipped"}, RunEvent.SUCCEEDED),
    ],
)  # fmt: skip
def test_a_failed_setup_stops_its_work_and_a_failed_teardown_fails_no_run(
    outcomes: dict[str, TaskState], states: dict[str, str], event: RunEvent
) -> None:
    expected = dict.fromkeys(("s", "a", "b", "t", "after"), "success") | states
    if outcomes.get("s"):
        # Not between the two, so that its own rule decides: all before it have ended.
        expected["after"] = "success"

    assert end_of(a_line(), **outcomes) == (expected, event)


def test_a_teardown_decides_where_its_author_wants_it() -> None:
    graph = a_graph(setup("s"), work("a", "s"), teardown("t", "a", "s", on_failure_fail_dagrun=True))

    assert graph.leaves == ("t",)
    assert end_of(graph, t=FAILED)[1] is RunEvent.FAILED
    # The teardown ran although the work failed, and hides that, as in Airflow.
    assert end_of(graph, a=FAILED) == ({"s": "success", "a": "failed", "t": "success"}, RunEvent.SUCCEEDED)


@pytest.mark.parametrize(
    ("graph", "leaves"),
    [
        (a_graph(setup("s"), work("a", "s"), teardown("t", "s", "a")), ["a"]),
        (a_graph(work("a"), teardown("t", "a"), work("b", "t")), ["a", "b"]),
        (a_graph(setup("s"), teardown("t", "s")), ["s"]),
        (a_graph(teardown("t")), []),
        (a_graph(work("a"), teardown("t", "a"), teardown("u", "t")), ["a"]),
    ],
    ids=["work", "behind a teardown", "no work", "nothing else", "two teardowns"],
)
def test_teardowns_are_left_out_of_what_decides_a_run(graph: Graph, leaves: list[str]) -> None:
    assert sorted(graph.leaves) == leaves


def test_a_setup_counts_for_what_lies_before_its_teardown_and_without_one_for_all_behind_it() -> None:
    graph = a_line()
    without = a_graph(setup("s"), work("a", "s"), work("b", "a"), setup("s2", "b"), work("c", "s2"))

    assert graph.setups == {
        "a": Setups(direct=tuple(ids("s"))),
        "b": Setups(indirect=tuple(ids("s"))),
        "t": Setups(direct=tuple(ids("s"))),
    }
    assert without.setups[TaskId("c")] == Setups(direct=tuple(ids("s2")), indirect=tuple(ids("s")))
    assert {setup: sorted(served) for setup, served in without.serves.items()} == {"s": ["b", "c", "s2"]}


NESTED = a_graph(
    setup("s1"), work("a", "s1"), setup("s2", "s1"), work("b", "s2"), teardown("t2", "b", "s2"),
    teardown("t1", "a", "t2", "s1"), work("aside"), work("behind", "b"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("chosen", "along"),
    [
        (["a"], {"s1", "t1"}),
        (["b"], {"s1", "s2", "t1", "t2"}),
        (["s2"], {"t2"}),
        (["s1"], {"t1"}),
        (["t2"], set()),
        (["aside"], set()),
        (["behind"], set()),
        (["a", "b"], {"s1", "s2", "t1", "t2"}),
        (["b", "t1"], {"s1", "s2", "t2"}),
    ],
)
def test_work_is_cleared_with_the_setups_and_teardowns_around_it(chosen: list[str], along: set[str]) -> None:
    assert along_with(ids(*chosen), NESTED.tasks, NESTED.downstream) == along
