"""Mapped tasks and mapped groups that run again over another number of items than before."""

import asyncio
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest

from flowd.actions.clear_tasks import ClearSelection, clear_run, clear_tasks
from flowd.actions.mark import mark_tasks
from flowd.domain.dag_run import DagRun
from flowd.domain.dag_spec import DagSpec
from flowd.domain.graph import graph_of
from flowd.domain.ids import TaskId
from flowd.domain.map_length import Expansion, LiteralLength, MapLength, ResultLength
from flowd.domain.states import TaskState
from flowd.domain.tally import Tally, place_of, recount
from flowd.domain.task_spec import TaskRole, TaskSpec
from flowd.domain.trigger_rules import TriggerRule
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

R = TriggerRule
OF_A = ResultLength(TaskId("a"))
LENGTHS = [3, 2, 1, 5, 0]
"""The same as before, fewer, one, more and none."""


def grouped(task_id: str, length: MapLength = OF_A, **fields: Any) -> TaskSpec:
    """A task of the mapped group g."""
    return a_task(task_id, expansion=Expansion(length=length, group="g"), **fields)


LINES = a_dag(
    a_task("a"),
    a_task("b"),
    grouped("g.x", after=["a"]),
    grouped("g.y", after=["b", "g.x"]),
    grouped("g.z", after=["a", "g.x", "g.y"]),
    a_task("end", after=["g.z"], trigger_rule=R.ALL_DONE),
)
"""Tasks of a group that wait for one another, for what returns the items, and for another task beside."""


def named(task_id: str, indexes: range, state: str = "success") -> dict[str, str]:
    return {f"{task_id}[{index}]": state for index in indexes}


def lines(ran: int, made: int, **others: str) -> dict[str, str]:
    """What is to come of LINES: so many map indexes have run, of so many that there are."""
    found = {"a": "success", "b": "success", "end": "success"}
    for task_id in ("g.x", "g.y", "g.z"):
        found |= named(task_id, range(ran)) | named(task_id, range(ran, made), "removed")
    return found | others


async def assert_counted(site: LedgerSite, run: DagRun, spec: DagSpec) -> None:
    """Nothing is left of the run, and its rows hold the tallies that are to be counted from all its instances."""
    names = [one.name for one in fields(Tally)]
    rows = await site.rows(
        f"SELECT id, task_id, map_index, {', '.join(f'up_{name}' for name in names)} FROM task_instance"
    )
    graph = graph_of(spec)
    instances = [await site.instance(run, row[1], row[2]) for row in rows]
    expected = recount(graph, instances)
    firsts: dict[Any, Any] = {}
    for row in sorted(rows, key=lambda row: row[2]):
        firsts.setdefault(place_of(graph, row[1], row[2]), row)
    assert {place: Tally(**dict(zip(names, row[3:], strict=True))) for place, row in firsts.items()} == expected
    assert (await site.run(run.key)).unfinished == 0
    assert await site.run_state(run) == "success"


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_group_that_is_cleared_whole_has_as_many_map_indexes_as_items(site: LedgerSite, length: int) -> None:
    run = await site.begin(LINES)
    await site.work(returning={"a": [1, 2, 3]})

    await clear_run(site.backends, run.dag_id, run.run_id)
    order = await site.work(returning={"a": list(range(length))})

    assert await site.states(run) == lines(length, max(3, length))
    assert len(order) == 3 + 3 * length
    await assert_counted(site, run, LINES)


@pytest.mark.parametrize("length", LENGTHS)
async def test_and_once_more_with_what_was_removed_in_between(site: LedgerSite, length: int) -> None:
    run = await site.begin(LINES)
    for items in (2, length, 4):
        await site.work(returning={"a": list(range(items))})
        if items != 4 or length == 4:
            await clear_run(site.backends, run.dag_id, run.run_id)

    assert await site.states(run) == lines(4, max(4, length))
    await assert_counted(site, run, LINES)


@pytest.mark.parametrize("length", LENGTHS)
async def test_an_upstream_that_is_cleared_alone_leaves_what_has_ended(site: LedgerSite, length: int) -> None:
    spec = a_dag(*LINES.tasks, a_task("m", after=["a"], expansion=Expansion(length=OF_A)))
    run = await site.begin(spec)
    await site.work(returning={"a": [1, 2, 3]})

    only_a = ClearSelection(dag_id=run.dag_id, run_id=run.run_id, task_ids=[TaskId("a")])
    await clear_tasks(site.backends, only_a, dry_run=False)
    order = await site.work(returning={"a": list(range(length))})

    assert order == ["a"]
    assert await site.states(run) == lines(3, 3) | named("m", range(3))
    await assert_counted(site, run, spec)


@pytest.mark.parametrize(("length", "beyond"), [(3, "success"), (2, "removed"), (5, "success"), (0, "removed")])
async def test_one_map_index_that_runs_again_takes_the_number_of_items_for_all_that_is_undecided(
    site: LedgerSite, length: int, beyond: str
) -> None:
    run = await site.begin(LINES)
    await site.work(returning={"a": [1, 2, 3]})

    tasks = [TaskId(name) for name in ("a", "g.x", "g.y", "g.z")]
    third = {task_id: [2] for task_id in tasks[1:]}
    selection = ClearSelection(dag_id=run.dag_id, run_id=run.run_id, task_ids=tasks, map_indexes=third)
    await clear_tasks(site.backends, selection, dry_run=False)
    order = await site.work(returning={"a": list(range(length))})

    states = lines(max(3, length), 3) | {f"g.{task}[2]": beyond for task in "xyz"}
    assert await site.states(run) == states
    assert [name for name in order if name.startswith("g.x")] == [f"g.x[{index}]" for index in range(2, length)]
    await assert_counted(site, run, LINES)


@pytest.mark.parametrize("kind", ["alone", "group"])
async def test_where_nothing_is_returned_any_more_it_is_upstream_failed(site: LedgerSite, kind: str) -> None:
    task = (
        grouped("g.x", after=["a"]) if kind == "group" else a_task("g.x", after=["a"], expansion=Expansion(length=OF_A))
    )
    run = await site.begin(a_dag(a_task("a"), task))
    await site.work(returning={"a": [1, 2]})

    await clear_run(site.backends, run.dag_id, run.run_id)
    await site.work()

    assert await site.states(run) == {"a": "success"} | named("g.x", range(2), "upstream_failed")


@pytest.mark.parametrize("group", ["g", None], ids=["grouped", "alone"])
async def test_what_can_begin_early_waits_for_the_items_of_its_second_run(site: LedgerSite, group: str | None) -> None:
    expansion = Expansion(length=OF_A, group=group)
    early = a_task("g.x", after=["a", "b"], trigger_rule=R.ONE_SUCCESS, expansion=expansion)
    run = await site.begin(a_dag(a_task("a"), a_task("b"), early))
    await site.work(returning={"a": [1, 2, 3]})
    await clear_run(site.backends, run.dag_id, run.run_id)
    await site.settle()
    claims = await site.claim()

    await site.succeed(claims["b"])
    await site.settle()
    before = await site.states(run)
    await site.leave(claims["a"], [1])
    await site.succeed(claims["a"])
    await site.work()

    assert {state for name, state in before.items() if name.startswith("g.x")} == {"none"}
    assert await site.states(run) == {"a": "success", "b": "success"} | named("g.x", range(1)) | named(
        "g.x", range(1, 3), "removed"
    )


async def test_new_map_indexes_are_skipped_where_a_branch_had_decided_against_their_task(site: LedgerSite) -> None:
    spec = a_dag(
        a_task("a"),
        grouped("g.x", after=["a"]),
        a_task("branch", after=["g.x"]),
        grouped("g.y", after=["branch", "g.x"]),
    )
    run = await site.begin(spec)
    branches = {"branch": ["g.y"]}
    await site.work(returning={"a": [1]}, branches=branches)

    again = ClearSelection(dag_id=run.dag_id, run_id=run.run_id, task_ids=[TaskId("a"), TaskId("g.x")])
    await clear_tasks(site.backends, again, dry_run=False)
    await site.work(returning={"a": [1, 2]}, branches=branches)

    expected = {"a": "success", "branch": "success"} | named("g.x", range(2)) | named("g.y", range(2), "skipped")
    assert await site.states(run) == expected
    await assert_counted(site, run, spec)


@pytest.mark.parametrize(("items", "ran"), [(1, 1), (4, 4)])
async def test_a_length_in_the_file_counts_anew_where_the_run_moves_to_another_version(
    site: LedgerSite, items: int, ran: int
) -> None:
    def spec(length: int) -> DagSpec:
        literal = LiteralLength(length)
        return a_dag(
            a_task("m", expansion=Expansion(length=literal)),
            grouped("g.x", literal),
            grouped("g.y", literal, after=["g.x"]),
            a_task("end", after=["g.y", "m"]),
        )

    run = await site.begin(spec(2))
    await site.work()
    await site.put(spec(items))

    await clear_run(site.backends, run.dag_id, run.run_id, run_on_latest_version=True)
    await site.work()

    expected: Mapping[str, str] = {"end": "success"}
    for task_id in ("m", "g.x", "g.y"):
        expected = {**expected, **named(task_id, range(ran)), **named(task_id, range(ran, 2), "removed")}
    assert await site.states(run) == expected
    await assert_counted(site, run, spec(items))


async def test_a_group_over_what_a_mapped_task_returned_follows_its_number(site: LedgerSite) -> None:
    of_m = ResultLength(TaskId("m"))
    spec = a_dag(
        a_task("a"),
        a_task("m", after=["a"], expansion=Expansion(length=OF_A)),
        grouped("g.x", of_m, after=["m"]),
        grouped("g.y", of_m, after=["g.x", "m"]),
        a_task("end", after=["g.y"]),
    )
    run = await site.begin(spec)
    values = {f"m[{index}]": index for index in range(4)}
    await site.work(returning={"a": [1, 2], **values})

    await clear_run(site.backends, run.dag_id, run.run_id)
    await site.work(returning={"a": [1, 2, 3, 4], **values})

    expected = {"a": "success", "end": "success"} | named("m", range(4))
    assert await site.states(run) == expected | named("g.x", range(4)) | named("g.y", range(4))
    await assert_counted(site, run, spec)


async def test_setups_and_teardowns_of_new_map_indexes_count_for_their_own(site: LedgerSite) -> None:
    spec = a_dag(
        a_task("a"),
        grouped("g.setup", after=["a"], role=TaskRole.SETUP),
        grouped("g.work", after=["g.setup"]),
        grouped("g.down", after=["g.setup", "g.work"], role=TaskRole.TEARDOWN, trigger_rule=R.ALL_DONE_SETUP_SUCCESS),
    )
    run = await site.begin(spec)
    await site.work(returning={"a": [1]})

    await clear_run(site.backends, run.dag_id, run.run_id)
    await site.work(returning={"a": [1, 2, 3]}, failing={"g.work[1]"})

    states = await site.states(run)
    assert {name: state for name, state in states.items() if state != "success"} == {"g.work[1]": "failed"}
    assert len(states) == 10


async def test_a_source_that_is_marked_a_success_makes_as_many_as_it_had_returned(site: LedgerSite) -> None:
    run = await site.begin(LINES)
    await site.work(returning={"a": [1, 2, 3]})
    below = ClearSelection(
        dag_id=run.dag_id, run_id=run.run_id, task_ids=[TaskId("g.x"), TaskId("g.y"), TaskId("g.z"), TaskId("end")]
    )
    await mark_tasks(site.backends, run.dag_id, run.run_id, [(TaskId("a"), -1)], TaskState.FAILED)
    await clear_tasks(site.backends, below, dry_run=False)
    await site.work()
    failed = await site.states(run)

    await mark_tasks(site.backends, run.dag_id, run.run_id, [(TaskId("a"), -1)], TaskState.SUCCESS)
    await clear_tasks(site.backends, below, dry_run=False)
    await site.work()

    assert failed["g.x[0]"] == "upstream_failed"
    assert await site.states(run) == lines(3, 3)
    await assert_counted(site, run, LINES)


async def test_schedulers_that_expand_one_run_at_once_make_each_instance_once(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(3)]
    first = sites[0]
    spec = a_dag(*LINES.tasks, a_task("m", after=["a"], expansion=Expansion(length=OF_A)))
    run = await first.begin(spec)

    made = 0
    for length in (20, 30, 10):
        made = max(made, length)
        claims = await first.claim()
        await first.leave(claims["a"], list(range(length)))
        await first.succeed(claims["a"])
        await first.succeed(claims["b"])
        for _ in range(3):
            # One that lost against another tries again, as the loop of its role does.
            await asyncio.gather(*(one.metastore.retrying(one.advancer.step) for one in sites))
        await first.work()
        expected = lines(length, made) | named("m", range(length)) | named("m", range(length, made), "removed")
        assert await first.states(run) == expected
        await assert_counted(first, run, spec)
        await clear_run(first.backends, run.dag_id, run.run_id)
        await first.settle()
