"""The advance of a run: safe at every step, always comes to an end, and where the order of finishing matters."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowd.domain.graph import Graph
from flowd.domain.ids import UNMAPPED, TaskId
from flowd.domain.run_plan import News, downstream_of, step
from flowd.domain.states import TaskState
from flowd.domain.tally import Tally
from flowd.domain.task_events import Cleared, Decided, Marked, Scheduled
from flowd.domain.task_machine import transition
from flowd.domain.task_spec import TaskRole
from flowd.domain.trigger_rules import TriggerRule, Verdict
from flowd.domain.work import NoWork
from tests.support.simulated_run import Outcome, SimulatedRun
from tests.support.specs import NOW, a_graph, a_task, graphs

S = TaskState
R = TriggerRule
A, B, C = ((TaskId(name), UNMAPPED) for name in "abc")
ENDS = (S.SUCCESS, S.FAILED, S.SKIPPED)

ORDER_SENSITIVE = {R.ALL_SUCCESS}
"""It skips at the first skipped upstream and fails at the first failed one: the first of the two decides (Airflow)."""

SKIP_SENSITIVE = {
    R.ALL_SUCCESS,
    R.NONE_FAILED,
    R.NONE_FAILED_MIN_ONE_SUCCESS,
    R.ONE_SUCCESS,
    R.ONE_FAILED,
    R.ONE_DONE,
    R.ALWAYS,
}
"""They may start the task, or fail it, before a branch that decides against it has ended. The others wait for it."""

interventions: st.SearchStrategy[Cleared | Marked] = st.sampled_from([Cleared(0), Marked(S.SUCCESS), Marked(S.FAILED)])
random_orders = st.randoms(use_true_random=False)


@st.composite
def runs(draw: st.DrawFn, *, rules: Iterable[TriggerRule] = R, may_branch: bool = True) -> SimulatedRun:
    """A run at its beginning, with random ends, branches (some ignore the edges), retries and tasks that are held."""
    graph = draw(graphs(rules=rules))
    tasks = list(graph.tasks)
    outcomes = {task_id: draw(outcome_strategy(graph, task_id, may_branch)) for task_id in tasks}
    held = set(draw(st.lists(st.sampled_from(tasks), max_size=2)))
    return SimulatedRun(graph, outcomes, held)


def outcome_strategy(graph: Graph, task_id: TaskId, may_branch: bool) -> st.SearchStrategy[Outcome]:
    plain = st.builds(Outcome, st.sampled_from(ENDS), failures=st.integers(0, 1))
    below = sorted(graph.descendants([task_id]))
    if not may_branch or not below:
        return plain
    skips = st.lists(st.sampled_from(below), max_size=3, unique=True).map(tuple)
    return st.one_of(plain, st.builds(Outcome, skips=skips))


def play(run: SimulatedRun, order: Random, decided_before: Iterable[TaskId] = ()) -> None:
    """Make moves in random order until none is left, and look after each that everything is as it should be."""
    most_moves = 10 * len(run.graph.tasks)
    check(run, set(decided_before))
    while moves := possible_moves(run):
        before = decided(run)
        name, task_id = order.choice(moves)
        match name:
            case "try":
                run.run_one_try(task_id)
            case "wait":
                run.go_on(task_id)
            case "release":
                run.release(task_id)
            case "tell":
                run.tell(order.sample(run.untold, order.randint(1, len(run.untold))))
        check(run, before)
        most_moves -= 1
        assert most_moves, "the run does not come to an end"


def decided(run: SimulatedRun) -> set[TaskId]:
    return {task_id for task_id, state in run.states.items() if state is not S.NONE}


def possible_moves(run: SimulatedRun) -> list[tuple[str, TaskId]]:
    return (
        [("try", task_id) for task_id in run.scheduled]
        + [("wait", task_id) for task_id in run.waiting]
        + [("release", task_id) for task_id in sorted(run.held)]
        + [("tell", task_id) for task_id in run.untold]
    )


def check(run: SimulatedRun, decided_before: set[TaskId]) -> None:
    """Compare every row with an oracle that knows no increments."""
    for task_id, state in run.states.items():
        verdict = run.verdict_from_scratch(task_id)
        assert run.tallies[task_id] == run.recounted(task_id)
        if state is S.NONE:
            assert verdict is Verdict.WAIT or (verdict is Verdict.READY and task_id in run.held)
        elif task_id not in decided_before:
            assert verdict is Verdict.READY or state.value == verdict.value or is_skipped_by_a_branch(run, task_id)
            assert verdict is not Verdict.READY or task_id not in run.held or is_skipped_by_a_branch(run, task_id)
    assert not run.look_again(run.graph.tasks).events, "the plan, once applied, has nothing to add"


def is_skipped_by_a_branch(run: SimulatedRun, task_id: TaskId) -> bool:
    ends = (run.instances[other] for other in run.graph.tasks)
    return run.state(task_id) is S.SKIPPED and any(task_id in end.skips and not end.needs_propagation for end in ends)


@given(runs(), random_orders)
@settings(max_examples=100, deadline=None)
def test_every_run_comes_to_an_end_and_leaves_no_task_behind(run: SimulatedRun, order: Random) -> None:
    play(run, order)

    assert all(state.is_finished for state in run.states.values())
    for task_id, state in run.states.items():
        outcome, verdict = run.outcome(task_id), run.verdict_from_scratch(task_id)
        was_tried = run.instances[task_id].try_number > 0
        if was_tried:
            assert state is outcome.state
        elif verdict is Verdict.READY:
            has_no_work = isinstance(run.graph.tasks[task_id].work, NoWork) and state is S.SUCCESS
            assert has_no_work or is_skipped_by_a_branch(run, task_id)
        elif state.value != verdict.value:
            may_skip_early = run.graph.tasks[task_id].trigger_rule in ORDER_SENSITIVE and state is S.SKIPPED
            assert may_skip_early or is_skipped_by_a_branch(run, task_id)


@given(runs(), st.data(), random_orders)
@settings(max_examples=60, deadline=None)
def test_a_run_with_setups_and_teardowns_comes_to_an_end_too(
    run: SimulatedRun, data: st.DataObject, order: Random
) -> None:
    roles = {task_id: data.draw(st.sampled_from([TaskRole.WORK, *TaskRole])) for task_id in run.graph.tasks}
    graph = a_graph(*(replace(task, role=roles[task.task_id]) for task in run.graph.tasks.values()))
    run = SimulatedRun(graph, run.outcomes)

    play(run, order)

    assert all(state.is_finished for state in run.states.values())
    for task_id, setups in graph.setups.items():
        if run.instances[task_id].try_number:
            assert all(run.state(setup) is S.SUCCESS for setup in setups.indirect)


@given(runs(rules=set(R) - ORDER_SENSITIVE, may_branch=False), random_orders)
@settings(max_examples=50, deadline=None)
def test_the_order_of_finishing_does_not_change_the_end(run: SimulatedRun, order: Random) -> None:
    again = SimulatedRun(run.graph, run.outcomes)
    play(run, order)

    play(again, order)

    assert again.states == run.states


@given(runs(rules={R.ALL_SUCCESS, R.ALL_DONE, R.NONE_FAILED}, may_branch=False), random_orders)
@settings(max_examples=30, deadline=None)
def test_without_skips_the_order_does_not_matter_to_all_success_either(run: SimulatedRun, order: Random) -> None:
    outcomes = {one: end for one, end in run.outcomes.items() if end.state is not S.SKIPPED}
    first, second = SimulatedRun(run.graph, outcomes), SimulatedRun(run.graph, outcomes)

    play(first, order)
    play(second, order)

    assert first.states == second.states


@pytest.mark.parametrize("rule", R)
def test_which_rules_are_sensitive_to_the_order_of_their_upstreams(rule: TriggerRule) -> None:
    graph = a_graph(a_task("a"), a_task("b"), a_task("c", after=["a", "b"], trigger_rule=rule))

    def ends(order: tuple[str, str], first: TaskState, second: TaskState) -> TaskState:
        run = SimulatedRun(graph, {TaskId("a"): Outcome(first), TaskId("b"): Outcome(second)})
        run.finish(*order)
        return run.state("c")

    differing = [
        {first, second}
        for first in ENDS
        for second in ENDS
        if ends(("a", "b"), first, second) is not ends(("b", "a"), first, second)
    ]

    assert all(pair == {S.FAILED, S.SKIPPED} for pair in differing)
    assert bool(differing) == (rule in ORDER_SENSITIVE)


@pytest.mark.parametrize("rule", R)
def test_which_rules_can_overtake_a_branch_that_decides_against_the_task(rule: TriggerRule) -> None:
    graph = a_graph(a_task("branch"), a_task("other"), a_task("c", after=["branch", "other"], trigger_rule=rule))

    def is_overtaken(other: TaskState) -> bool:
        branch = Outcome(skips=(TaskId("c"),))
        run = SimulatedRun(graph, {TaskId("branch"): branch, TaskId("other"): Outcome(other)})
        run.finish("other", "branch")
        return run.state("c") is not S.SKIPPED

    assert any(is_overtaken(other) for other in ENDS) == (rule in SKIP_SENSITIVE)


def test_a_branch_decides_even_where_the_rule_would_let_the_task_run() -> None:
    graph = a_graph(a_task("branch"), a_task("left", after=["branch"]), a_task("right", after=["branch"]))
    run = SimulatedRun(graph, {TaskId("branch"): Outcome(skips=(TaskId("right"),))})

    run.finish("branch")

    assert (run.state("left"), run.state("right")) == (S.SCHEDULED, S.SKIPPED)


def test_a_task_that_a_branch_decided_against_is_skipped_again_when_cleared_alone() -> None:
    graph = a_graph(a_task("branch"), a_task("left", after=["branch"]))
    run = SimulatedRun(graph, {TaskId("branch"): Outcome(skips=(TaskId("left"),))})
    run.finish("branch")

    run.instances[TaskId("left")] = transition(run.instances[TaskId("left")], Cleared(0), NOW)
    run.revisit([TaskId("left")])

    assert run.state("left") is S.SKIPPED


def test_what_a_branch_decided_against_is_skipped_only_where_it_is_judged_anew() -> None:
    graph = a_graph(a_task("a"), a_task("b"))
    run = SimulatedRun(graph)
    run.instances[TaskId("b")] = transition(run.instances[TaskId("b")], Cleared(0), NOW)

    taken = step(graph, [], run.standings([TaskId("b")]), revisit=[B], decided_against=[A])

    assert taken.events == {B: Scheduled()}


def test_a_short_circuit_skips_tasks_that_are_not_directly_below() -> None:
    graph = a_graph(a_task("check"), a_task("b", after=["check"]), a_task("c", after=["b"], trigger_rule=R.ALL_DONE))
    run = SimulatedRun(graph, {TaskId("check"): Outcome(skips=(TaskId("b"), TaskId("c")))})

    run.finish("check")

    assert (run.state("b"), run.state("c")) == (S.SKIPPED, S.SKIPPED)


def test_a_skip_of_what_is_no_task_of_the_dag_is_ignored() -> None:
    graph = a_graph(a_task("branch"), a_task("b", after=["branch"]))
    news = [News(task_id=TaskId("branch"), outcome=S.SUCCESS, skips=(TaskId("typo"),))]
    run = SimulatedRun(graph)

    assert downstream_of(graph, news).places == [B]
    assert step(graph, news, run.standings([TaskId("b")])).events == {B: Scheduled()}


def test_a_skip_of_what_has_started_changes_nothing() -> None:
    graph = a_graph(a_task("branch"), a_task("b", after=["branch"], trigger_rule=R.ALWAYS))
    run = SimulatedRun(graph, {TaskId("branch"): Outcome(skips=(TaskId("b"),))})

    run.finish("branch")

    assert run.state("b") is S.SCHEDULED


def test_tasks_without_work_end_at_once_and_pass_on_the_news() -> None:
    graph = a_graph(
        a_task("start", work=NoWork()), a_task("join", after=["start"], work=NoWork()), a_task("end", after=["join"])
    )
    run = SimulatedRun(graph)

    assert run.tell([TaskId("start")]).news == [News(task_id=TaskId("join"), outcome=S.SUCCESS)]
    run.tell([TaskId("join")])
    assert run.state("end") is S.SCHEDULED


def test_what_is_decided_is_news_and_what_is_scheduled_is_not() -> None:
    graph = a_graph(a_task("a"), a_task("b", after=["a"]), a_task("c", after=["a"], trigger_rule=R.ALL_DONE))
    run = SimulatedRun(graph, {TaskId("a"): Outcome(S.FAILED)})
    run.run_one_try(TaskId("a"))

    taken = run.tell([TaskId("a")])

    assert taken.events == {B: Decided(S.UPSTREAM_FAILED), C: Scheduled()}
    assert taken.news == [News(task_id=TaskId("b"), outcome=S.UPSTREAM_FAILED)]


def test_a_held_task_waits_for_its_past_but_not_with_being_decided_against() -> None:
    graph = a_graph(a_task("a"), a_task("b", after=["a"]), a_task("c"))
    run = SimulatedRun(graph, {TaskId("a"): Outcome(S.FAILED)}, held={TaskId("b"), TaskId("c")})

    run.finish("a")

    assert (run.state("b"), run.state("c")) == (S.UPSTREAM_FAILED, S.NONE)
    run.release(TaskId("c"))
    assert run.state("c") is S.SCHEDULED


def test_a_step_needs_no_row_but_those_directly_below() -> None:
    graph = a_graph(a_task("a"), a_task("b", after=["a"]), *[a_task(f"t{n}") for n in range(9)])

    assert downstream_of(graph, [News(task_id=TaskId("a"), outcome=S.SUCCESS)]).places == [B]


@given(runs(), random_orders, st.data())
@settings(max_examples=50, deadline=None)
def test_a_run_comes_to_its_end_again_after_any_clear_and_mark(
    run: SimulatedRun, order: Random, data: st.DataObject
) -> None:
    play(run, order)
    touched = data.draw(st.lists(st.sampled_from(list(run.graph.tasks)), min_size=1, unique=True))

    for task_id in touched:
        event = data.draw(interventions)
        run.instances[task_id] = transition(run.instances[task_id], event, NOW)
    for below in {below for task_id in touched for below in run.graph.downstream[task_id]}:
        run.tallies[below] = run.recounted(below)
    before = decided(run)
    run.revisit(touched)

    play(run, order, decided_before=before)
    assert all(state.is_finished for state in run.states.values())


def test_a_tally_counts_only_ends_that_have_been_told() -> None:
    graph = a_graph(a_task("a"), a_task("b"), a_task("c", after=["a", "b"]))
    run = SimulatedRun(graph)
    run.run_one_try(TaskId("a"))

    assert run.recounted(TaskId("c")) == Tally()
    run.tell([TaskId("a")])
    assert run.recounted(TaskId("c")) == Tally(success=1)
