"""Expansion: when a mapped task becomes many instances, what waits for them, and what becomes of them a second time."""

from typing import Any

import pytest

from flowd.actions.clear_tasks import ClearSelection, clear_run, clear_tasks
from flowd.actions.why import why
from flowd.domain.ids import TaskId
from flowd.domain.map_length import CrossedLength, Expansion, LiteralLength, ResultLength
from flowd.domain.task_spec import TaskRole, TaskSpec
from flowd.domain.trigger_rules import TriggerRule
from flowd.domain.work import NoWork
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

R = TriggerRule


def over(task_id: str, source: str, **fields: Any) -> TaskSpec:
    """A task that is mapped over what another returns."""
    after = fields.pop("after", [source])
    return a_task(task_id, after=after, expansion=Expansion(length=ResultLength(TaskId(source))), **fields)


def times(task_id: str, items: int, **fields: Any) -> TaskSpec:
    """A task that is mapped over so many items in the DAG file."""
    return a_task(task_id, expansion=Expansion(length=LiteralLength(items)), **fields)


def named(task_id: str, count: int, state: str = "success") -> dict[str, str]:
    return {f"{task_id}[{index}]": state for index in range(count)}


async def test_a_task_expands_over_the_items_in_its_file(site: LedgerSite) -> None:
    run = await site.begin(a_dag(times("m", 3), a_task("end", after=["m"])))

    order = await site.work()

    assert order == ["m[0]", "m[1]", "m[2]", "end"]
    assert await site.states(run) == named("m", 3) | {"end": "success"}
    assert await site.run_state(run) == "success"
    assert (await site.run(run.key)).unfinished == 0


async def test_a_task_expands_over_what_another_returns_and_again_over_its_results(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), over("m", "a"), over("n", "m"), a_task("end", after=["n"])))

    await site.work(returning={"a": {"x": 1, "y": 2, "z": 3}, "m[0]": "one", "m[2]": "two"})

    assert await site.states(run) == {"a": "success", "end": "success"} | named("m", 3) | named("n", 2)


async def test_before_it_is_to_run_a_mapped_task_is_one_instance(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), times("m", 3, after=["a"])))

    assert await site.states(run) == {"a": "queued", "m": "none"}


@pytest.mark.parametrize(
    ("value", "state", "below"), [([], "skipped", "skipped"), (None, "upstream_failed", "upstream_failed")]
)
async def test_over_nothing_it_is_skipped_and_over_no_list_it_is_upstream_failed(
    site: LedgerSite, value: Any, state: str, below: str
) -> None:
    run = await site.begin(a_dag(a_task("a"), over("m", "a"), a_task("end", after=["m"])))

    await site.work(returning={"a": value})

    assert await site.states(run) == {"a": "success", "m": state, "end": below}


async def test_what_is_not_to_run_expands_only_where_the_file_says_to_how_many(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), times("literal", 2, after=["a"]), over("result", "a")))

    await site.work(failing={"a"})

    assert await site.states(run) == {"a": "failed", "result": "upstream_failed"} | named(
        "literal", 2, "upstream_failed"
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(R.ALL_SUCCESS, "upstream_failed"), (R.ALL_DONE, "success"), (R.ONE_FAILED, "success"), (R.ALL_FAILED, "skipped")],
)
async def test_a_trigger_rule_counts_every_instance(site: LedgerSite, rule: TriggerRule, expected: str) -> None:
    run = await site.begin(a_dag(times("m", 3), a_task("end", after=["m"], trigger_rule=rule)))

    await site.work(failing={"m[1]"})

    assert (await site.states(run))["end"] == expected


async def test_a_rule_that_is_met_early_still_waits_for_the_items(site: LedgerSite) -> None:
    spec = a_dag(a_task("a"), a_task("b"), over("m", "a", after=["a", "b"], trigger_rule=R.ONE_SUCCESS))
    run = await site.begin(spec)
    claims = await site.claim()

    await site.succeed(claims["b"])
    await site.settle()
    before = (await site.states(run))["m"]
    await site.leave(claims["a"], [1, 2])
    await site.succeed(claims["a"])
    await site.work()

    assert before == "none"
    assert await site.states(run) == {"a": "success", "b": "success"} | named("m", 2)


async def test_a_mapped_task_without_work_ends_at_once_and_tells_of_all(site: LedgerSite) -> None:
    run = await site.begin(a_dag(times("m", 3, work=NoWork()), a_task("end", after=["m"])))

    assert await site.work() == ["end"]
    assert await site.states(run) == named("m", 3) | {"end": "success"}


async def test_tasks_mapped_over_what_was_never_run_know_that_nothing_comes(site: LedgerSite) -> None:
    spec = a_dag(a_task("a"), a_task("b", after=["a"]), over("m", "b", trigger_rule=R.ALL_DONE))
    run = await site.begin(spec)

    await site.work(failing={"a"})

    assert await site.states(run) == {"a": "failed", "b": "upstream_failed", "m": "upstream_failed"}


async def test_one_map_index_runs_again_alone(site: LedgerSite) -> None:
    run = await site.begin(a_dag(times("m", 3), a_task("end", after=["m"])))
    await site.work(failing={"m[1]"})

    selection = ClearSelection(dag_id=run.dag_id, run_id=run.run_id, only_failed=True)
    cleared = await clear_tasks(site.backends, selection, dry_run=False)
    order = await site.work()

    assert len(cleared) == 2
    assert order == ["m[1]", "end"]
    assert await site.run_state(run) == "success"


@pytest.mark.parametrize(("items", "ran"), [(3, 3), (2, 2), (5, 5), (0, 0)])
async def test_run_again_over_other_items_there_are_more_instances_or_some_are_removed(
    site: LedgerSite, items: int, ran: int
) -> None:
    run = await site.begin(a_dag(a_task("a"), over("m", "a"), a_task("end", after=["m"], trigger_rule=R.ALL_DONE)))
    await site.work(returning={"a": [1, 2, 3]})

    await clear_run(site.backends, run.dag_id, run.run_id)
    order = await site.work(returning={"a": list(range(items))})

    assert order == ["a", *(f"m[{index}]" for index in range(ran)), "end"]
    removed = {f"m[{index}]": "removed" for index in range(items, 3)}
    assert await site.states(run) == {"a": "success", "end": "success"} | named("m", ran) | removed
    assert (await site.run(run.key)).unfinished == 0


async def test_a_task_of_many_batches_of_instances_runs_whole(site: LedgerSite) -> None:
    await site.set_pool("default_pool", 10_000)
    spec = a_dag(times("m", 1200), a_task("end", after=["m"]), max_active_tasks=2000)
    run = await site.begin(spec)

    await site.work()

    states = await site.states(run)
    assert len(states) == 1201
    assert set(states.values()) == {"success"}


@pytest.mark.parametrize("kind", ["alone", "group"])
@pytest.mark.parametrize(("items", "state"), [(512, "success"), (513, "upstream_failed")])
async def test_what_would_be_crossed_to_more_instances_than_may_be_makes_none(
    open_sqlite_site: OpenSite, items: int, state: str, kind: str
) -> None:
    site = open_sqlite_site()
    crossed = CrossedLength((ResultLength(TaskId("a")), LiteralLength(2)))
    expansion = Expansion(length=crossed, group="g" if kind == "group" else None)
    spec = a_dag(a_task("a"), a_task("g.m", after=["a"], expansion=expansion, work=NoWork()))
    run = await site.begin(spec)

    await site.work(returning={"a": list(range(items))})

    states = await site.states(run)
    assert {found for name, found in states.items() if name != "a"} == {state}
    assert len(states) == (1025 if state == "success" else 2)
    if state != "success":
        assert await why(site.backends, run.dag_id, run.run_id, TaskId("g.m")) == [
            "its arguments cross to 1026 instances, and worker.max_map_length allows fewer: give it less to cross, or"
            " raise the setting"
        ]


async def test_a_task_mapped_over_no_list_says_so(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), over("m", "a")))

    await site.work()

    found = await why(site.backends, run.dag_id, run.run_id, TaskId("m"))
    assert found == ["a task that it is mapped over has returned no list and no dict"]


def grouped(task_id: str, length: Any, **fields: Any) -> TaskSpec:
    """A task of the mapped group g."""
    return a_task(task_id, expansion=Expansion(length=length, group="g"), **fields)


OF_A = ResultLength(TaskId("a"))


async def test_in_a_mapped_group_each_map_index_goes_on_by_itself(site: LedgerSite) -> None:
    run = await site.begin(
        a_dag(
            a_task("a"),
            grouped("g.x", OF_A, after=["a"]),
            grouped("g.y", OF_A, after=["g.x"]),
            a_task("end", after=["g.y"], trigger_rule=R.ALL_DONE),
        )
    )

    await site.work(returning={"a": [1, 2, 3]}, failing={"g.x[1]"})

    expected = {"a": "success", "end": "success"} | named("g.x", 3) | named("g.y", 3)
    assert await site.states(run) == expected | {"g.x[1]": "failed", "g.y[1]": "upstream_failed"}
    assert (await site.run(run.key)).unfinished == 0


@pytest.mark.parametrize(("value", "expected"), [([], "skipped"), (None, "upstream_failed")])
async def test_a_mapped_group_over_nothing_stays_as_it_is(site: LedgerSite, value: Any, expected: str) -> None:
    run = await site.begin(a_dag(a_task("a"), grouped("g.x", OF_A, after=["a"]), grouped("g.y", OF_A, after=["g.x"])))

    await site.work(returning={"a": value})

    assert await site.states(run) == {"a": "success", "g.x": expected, "g.y": expected}


async def test_a_mapped_group_that_is_not_to_run_expands_where_the_file_says_to_how_many(site: LedgerSite) -> None:
    two = LiteralLength(2)
    run = await site.begin(
        a_dag(
            a_task("a"),
            grouped("g.x", two, after=["a"]),
            grouped("g.y", two, after=["g.x"]),
            a_task("end", after=["g.y"]),
        )
    )

    await site.work(failing={"a"})

    failed = named("g.x", 2, "upstream_failed") | named("g.y", 2, "upstream_failed")
    assert await site.states(run) == {"a": "failed", "end": "upstream_failed"} | failed


async def test_a_task_of_a_mapped_group_that_waits_for_one_outside_has_it_for_every_map_index(
    site: LedgerSite,
) -> None:
    two = LiteralLength(2)
    run = await site.begin(
        a_dag(a_task("b"), times("m", 2), grouped("g.x", two), grouped("g.y", two, after=["g.x", "b", "m"]))
    )

    await site.work(failing={"m[0]"})

    expected = {"b": "success", "m[0]": "failed", "m[1]": "success"} | named("g.x", 2)
    assert await site.states(run) == expected | named("g.y", 2, "upstream_failed")


async def test_one_map_index_of_a_mapped_group_runs_again_with_what_is_behind_it(site: LedgerSite) -> None:
    two = LiteralLength(2)
    run = await site.begin(a_dag(grouped("g.x", two), grouped("g.y", two, after=["g.x"]), a_task("end", after=["g.y"])))
    await site.work(failing={"g.x[1]"})

    await clear_run(site.backends, run.dag_id, run.run_id, only_failed=True)
    order = await site.work()

    assert order == ["g.x[1]", "g.y[1]", "end"]
    assert await site.run_state(run) == "success"


async def test_a_branch_in_a_mapped_group_decides_for_its_own_map_index(site: LedgerSite) -> None:
    two = LiteralLength(2)
    run = await site.begin(a_dag(grouped("g.branch", two), grouped("g.left", two, after=["g.branch"])))

    await site.work(branches={"g.branch[0]": ["g.left"]})

    assert await site.states(run) == named("g.branch", 2) | {"g.left[0]": "skipped", "g.left[1]": "success"}


@pytest.mark.parametrize("items", [1, 0])
async def test_a_task_of_a_mapped_group_that_could_begin_before_the_items_are_known_begins_then(
    site: LedgerSite, items: int
) -> None:
    run = await site.begin(
        a_dag(
            times("m", 2),
            grouped("g.x", ResultLength(TaskId("m")), after=["m"]),
            grouped("g.y", ResultLength(TaskId("m")), after=["g.x"], trigger_rule=R.ALL_DONE),
            a_task("end", after=["g.y"], trigger_rule=R.ALL_DONE),
        )
    )
    first, second = await site.worker().claim_next(["default"], 2)

    await site.fail(first)
    await site.settle()
    early = await site.states(run)
    await site.leave(second, 1 if items else None)
    await site.succeed(second)
    await site.work()

    assert (early["g.x"], early["g.y"]) == ("upstream_failed", "none")
    expanded = {"g.y[0]": "success"} if items else {"g.y": "skipped"}
    assert await site.states(run) == {"m[0]": "failed", "m[1]": "success", "g.x": "upstream_failed"} | expanded | {
        "end": "success"
    }


@pytest.mark.parametrize("failing", ["g.setup[0]", "g.work[1]"])
async def test_setups_and_teardowns_in_a_mapped_group_count_for_their_own_map_index(
    site: LedgerSite, failing: str
) -> None:
    two = LiteralLength(2)
    run = await site.begin(
        a_dag(
            grouped("g.setup", two, role=TaskRole.SETUP),
            grouped("g.work", two, after=["g.setup"]),
            grouped(
                "g.down",
                two,
                after=["g.setup", "g.work"],
                role=TaskRole.TEARDOWN,
                trigger_rule=R.ALL_DONE_SETUP_SUCCESS,
            ),
        )
    )

    await site.work(failing={failing})

    states = await site.states(run)
    if failing == "g.setup[0]":
        assert (states["g.work[0]"], states["g.down[0]"]) == ("upstream_failed", "upstream_failed")
    assert (states["g.setup[1]"], states["g.down[1]"]) == ("success", "success")
