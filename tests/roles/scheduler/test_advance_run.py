"""Advance: what the end of a task means below it, along every kind of edge, and for the run after it."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest

from flowd.actions.clear_tasks import clear_run
from flowd.domain.dag_run import DagRun
from flowd.domain.task_spec import TaskRole
from flowd.domain.trigger_rules import TriggerRule
from flowd.domain.work import NoWork
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.specs import NOW, a_dag, a_task

DAY = timedelta(days=1)


async def test_a_line_of_tasks_runs_in_its_order(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("c", after=["b"]), a_task("b", after=["a"]), a_task("a")))

    order = await site.work()

    assert order == ["a", "b", "c"]
    assert await site.run_state(run) == "success"


async def test_i6_a_fan_in_waits_for_all_of_the_fan_out(site: LedgerSite) -> None:
    middle = [f"m{number}" for number in range(5)]
    run = await site.begin(
        a_dag(a_task("first"), *(a_task(name, after=["first"]) for name in middle), a_task("last", after=middle))
    )
    await site.succeed((await site.claim())["first"])
    await site.settle()
    claims = await site.claim()

    for name in middle[:-1]:
        await site.succeed(claims[name])
        await site.settle()
    before = (await site.states(run))["last"]
    await site.succeed(claims[middle[-1]])
    await site.settle()

    assert (sorted(claims), before, (await site.states(run))["last"]) == (middle, "none", "queued")


async def test_a_failed_task_fails_what_is_below_it_and_the_run(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"]), a_task("c", after=["b"]), a_task("aside")))

    order = await site.work(failing={"a"})

    assert sorted(order) == ["a", "aside"]
    assert await site.states(run) == {"a": "failed", "b": "upstream_failed", "c": "upstream_failed", "aside": "success"}
    assert await site.run_state(run) == "failed"


async def test_a_run_whose_leaves_are_well_is_well_whatever_failed_above_them(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("rescue", after=["a"], trigger_rule=TriggerRule.ONE_FAILED)))

    await site.work(failing={"a"})

    assert await site.states(run) == {"a": "failed", "rescue": "success"}
    assert await site.run_state(run) == "success"


async def test_a_branch_skips_what_it_decided_against_and_what_only_that_led_to(site: LedgerSite) -> None:
    run = await site.begin(
        a_dag(
            a_task("branch"),
            a_task("left", after=["branch"]),
            a_task("right", after=["branch"]),
            a_task("below", after=["right"]),
            a_task("join", after=["left", "below"], trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS),
        )
    )

    order = await site.work(branches={"branch": ["right", "no_such_task"]})

    assert order == ["branch", "left", "join"]
    assert (await site.states(run))["right"] == (await site.states(run))["below"] == "skipped"
    assert await site.run_state(run) == "success"


@pytest.mark.parametrize(
    ("rule", "ends", "outcome"),
    [
        (TriggerRule.ALL_SUCCESS, "ssk", "skipped"),
        (TriggerRule.ALL_SUCCESS, "sss", "success"),
        (TriggerRule.ALL_FAILED, "fff", "success"),
        (TriggerRule.ALL_FAILED, "sff", "skipped"),
        (TriggerRule.ALL_DONE, "sfk", "success"),
        (TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, "sff", "success"),
        (TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, "fff", "upstream_failed"),
        (TriggerRule.ONE_SUCCESS, "ffs", "success"),
        (TriggerRule.ONE_SUCCESS, "kkk", "skipped"),
        (TriggerRule.ONE_FAILED, "sss", "skipped"),
        (TriggerRule.ONE_FAILED, "ssf", "success"),
        (TriggerRule.ONE_DONE, "kks", "success"),
        (TriggerRule.ONE_DONE, "kkk", "skipped"),
        (TriggerRule.NONE_FAILED, "skk", "success"),
        (TriggerRule.NONE_FAILED, "skf", "upstream_failed"),
        (TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, "skk", "success"),
        (TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, "kkk", "skipped"),
        (TriggerRule.NONE_SKIPPED, "sfs", "success"),
        (TriggerRule.NONE_SKIPPED, "sks", "skipped"),
        (TriggerRule.ALL_SKIPPED, "kkk", "success"),
        (TriggerRule.ALL_SKIPPED, "kks", "skipped"),
        (TriggerRule.ALWAYS, "fff", "success"),
    ],
)
async def test_every_trigger_rule_decides_from_the_ends_of_its_upstreams(
    open_sqlite_site: OpenSite, rule: TriggerRule, ends: str, outcome: str
) -> None:
    site = open_sqlite_site()
    above = [f"{end}{number}" for number, end in enumerate(ends)]
    run = await site.begin(a_dag(*map(a_task, above), a_task("below", after=above, trigger_rule=rule)))

    await site.work(failing=starting("f", above), skipping=starting("k", above))

    assert (await site.states(run))["below"] == outcome
    assert await site.run_state(run) != "running"


def starting(letter: str, names: Collection[str]) -> set[str]:
    return {name for name in names if name.startswith(letter)}


async def test_a_chain_without_work_ends_in_the_transaction_that_starts_its_run(site: LedgerSite) -> None:
    names = [f"t{number}" for number in range(6)]
    tasks = [a_task(name, after=names[max(0, n - 1) : n], work=NoWork()) for n, name in enumerate(names)]
    await site.put(a_dag(*tasks))
    run = await site.trigger()

    await site.advancer.advance([run.key])

    assert set((await site.states(run)).values()) == {"success"}
    assert await site.run_state(run) == "success"
    assert (await site.run(run.key)).unfinished == 0


async def test_a_dag_without_tasks_is_a_success_at_once(site: LedgerSite) -> None:
    await site.put(a_dag())
    run = await site.trigger()

    await site.advance()

    assert await site.run_state(run) == "success"


async def dated(site: LedgerSite, days: int, **fields: Any) -> list[DagRun]:
    return [await site.trigger(logical_date=NOW + day * DAY, **fields) for day in range(days)]


async def test_a_task_that_depends_on_its_past_waits_for_the_run_before(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("free"), a_task("chained", depends_on_past=True)))
    first, second = await dated(site, 2)
    await site.settle()
    before = await site.states(first), await site.states(second)

    claims = await site.claim()
    await site.succeed(claims["chained"])
    await site.settle()

    assert before == ({"free": "queued", "chained": "queued"}, {"free": "queued", "chained": "none"})
    assert (await site.states(second))["chained"] == "queued"


async def test_a_task_that_depends_on_its_past_waits_for_ever_where_that_failed_and_goes_on_when_that_is_cleared(
    site: LedgerSite,
) -> None:
    await site.put(a_dag(a_task("chained", depends_on_past=True)))
    first, second = await dated(site, 2)
    await site.work(failing={"chained"})
    before = await site.states(second)

    await clear_run(site.backends, first.dag_id, first.run_id)
    order = await site.work()

    assert (before, order) == ({"chained": "none"}, ["chained", "chained"])
    assert await site.states(second) == {"chained": "success"}


async def test_a_task_that_depends_on_its_past_waits_for_a_run_that_has_not_begun(open_site: OpenSite) -> None:
    site, other = open_site(), open_site()
    await site.put(a_dag(a_task("chained", depends_on_past=True)))
    _, second = await dated(site, 2)

    await other.advancer.advance([second.key])
    before = await site.states(second)
    order = await site.work()

    assert (before, order) == ({"chained": "none"}, ["chained", "chained"])


async def test_a_past_without_work_wakes_the_next_run_at_once(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("chained", depends_on_past=True, work=NoWork())))
    first, second = await dated(site, 2)
    await site.advancer.advance([second.key])

    await site.advancer.advance([first.key])

    async with asyncio.timeout(120):
        await site.advancer.loop.bell.wait(None)
    await site.advancer.step()
    assert await site.run_state(second) == "success"


@pytest.mark.parametrize(
    ("failing", "expected", "end"),
    [
        ({"a"}, {"s": "success", "a": "failed", "b": "success", "t": "success"}, "success"),
        ({"s"}, {"s": "failed", "a": "upstream_failed", "b": "upstream_failed", "t": "upstream_failed"}, "failed"),
        ({"t"}, {"s": "success", "a": "success", "b": "success", "t": "failed"}, "success"),
    ],
)
async def test_a_setup_counts_beyond_the_work_below_it_and_a_teardown_fails_no_run(
    site: LedgerSite, failing: Collection[str], expected: dict[str, str], end: str
) -> None:
    run = await site.begin(
        a_dag(
            a_task("s", role=TaskRole.SETUP),
            a_task("a", after=["s"]),
            a_task("b", after=["a"], trigger_rule=TriggerRule.ALL_DONE),
            a_task("t", after=["s", "b"], role=TaskRole.TEARDOWN, trigger_rule=TriggerRule.ALL_DONE_SETUP_SUCCESS),
        )
    )

    await site.work(failing=failing)

    assert await site.states(run) == expected
    assert await site.run_state(run) == end
