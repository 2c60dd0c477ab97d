"""RunAdvancer: from queued to ended, along every kind of edge, with any number of advancers at once."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest

from flowd.actions.clear_tasks import clear_run
from flowd.actions.mark import mark_run
from flowd.actions.pause_dag import set_paused
from flowd.domain.dag_run import DagRun
from flowd.domain.errors import IllegalTransition
from flowd.domain.states import RunState
from flowd.domain.trigger_rules import TriggerRule
from flowd.domain.work import NoWork
from flowd.roles.scheduler import run_advancer
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


async def test_a_doorbell_advances_the_runs_it_names(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"])))
    await site.succeed((await site.claim())["a"])

    site.advancer.ring([run.key])
    await site.advancer.step()

    assert await site.states(run) == {"a": "success", "b": "scheduled"}


async def test_what_a_lost_doorbell_missed_the_poll_finds(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"])))
    await site.succeed((await site.claim())["a"])

    moved = await site.advancer.step()

    assert moved is True
    assert await site.states(run) == {"a": "success", "b": "scheduled"}
    assert await site.advancer.step() is False


async def test_every_end_rings_the_dispatcher_for_the_slot_that_it_frees(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a")))
    await site.succeed((await site.claim())["a"])
    await site.scheduled.wait(0)

    site.advancer.ring([run.key])
    await site.advancer.step()

    async with asyncio.timeout(1):
        await site.scheduled.wait(None)


async def test_no_more_runs_are_started_than_max_active_runs_and_each_end_lets_the_next_begin(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("load"), max_active_runs=2))
    runs = [await site.trigger() for _ in range(5)]
    seen: list[int] = []

    for _ in runs:
        await site.settle()
        states = [await site.run_state(run) for run in runs]
        seen.append(states.count("running"))
        assert states == sorted(states, key=["success", "running", "queued"].index)
        claimed = await site.worker().claim_next(["default"], 1)
        await site.succeed(claimed[0])
    await site.advance()

    assert seen == [2, 2, 2, 2, 1]
    assert {await site.run_state(run) for run in runs} == {"success"}


async def test_a_long_queue_of_one_dag_hides_no_run_of_another(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_advancer, "MOST_RUNS", 3)
    await site.put(a_dag(a_task("t"), dag_id="busy", max_active_runs=1))
    await site.put(a_dag(a_task("t"), dag_id="small", max_active_runs=1))
    for _ in range(5):
        await site.trigger("busy")
    first, second = await site.trigger("small"), await site.trigger("small")
    await site.settle()
    for claimed in await site.worker().claim_next(["default"], 9):
        if claimed.assignment.dag_id == "small":
            await site.succeed(claimed)

    await site.advance()

    assert (await site.run_state(first), await site.run_state(second)) == ("success", "running")


async def test_runs_that_cannot_begin_hide_no_news_of_those_that_have(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_advancer, "MOST_RUNS", 3)
    await site.put(a_dag(a_task("t"), dag_id="paused"), paused=True)
    for _ in range(5):
        await site.trigger("paused")
    run = await site.begin(a_dag(a_task("t")))
    await site.work()
    await clear_run(site.backends, run.dag_id, run.run_id)

    assert await site.work() == ["t"]


async def test_a_paused_dag_starts_no_run_until_it_is_unpaused(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("load")), paused=True)
    run = await site.trigger()
    await site.settle()
    before = await site.run_state(run)

    await set_paused(site.backends, run.dag_id, False)
    await site.settle()

    assert (before, await site.run_state(run)) == ("queued", "running")


async def test_a_run_does_not_begin_before_the_moment_it_was_asked_for(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("load")))
    async with site.metastore.reading() as tx:
        now = await tx.now()
    run = await site.trigger(run_after=now + DAY)
    site.advancer.ring([run.key])
    await site.settle()
    before = await site.run_state(run)

    await site.pass_time(DAY)
    await site.settle()

    assert (before, await site.run_state(run)) == ("queued", "running")


async def test_a_run_whose_time_is_up_fails_and_what_still_runs_is_fenced(site: LedgerSite) -> None:
    run = await site.begin(
        a_dag(a_task("a"), a_task("b"), a_task("c", after=["b"]), dagrun_timeout=timedelta(minutes=1))
    )
    claims = await site.claim()
    await site.succeed(claims["a"])
    await site.advance()
    before = await site.run_state(run)

    await site.pass_time(timedelta(minutes=1))
    await site.advance()
    late = await site.succeed(claims["b"])

    assert (before, await site.run_state(run)) == ("running", "failed")
    assert await site.states(run) == {"a": "success", "b": "skipped", "c": "skipped"}
    assert isinstance(late, IllegalTransition)


async def test_a_run_that_is_cleared_after_its_time_was_up_has_all_its_time_again(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), dagrun_timeout=timedelta(minutes=1)))
    await site.pass_time(timedelta(minutes=1))
    await site.advance()

    await clear_run(site.backends, run.dag_id, run.run_id)

    assert await site.work() == ["a"]
    assert await site.run_state(run) == "success"


async def test_what_ends_after_its_run_has_nobody_left_to_tell(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"])))
    claims = await site.claim()
    await site.succeed(claims["a"])
    async with site.metastore.transaction() as tx:
        await tx.execute("UPDATE dag_run SET state = 'failed', unfinished = 0")

    await site.advance()

    assert await site.states(run) == {"a": "success", "b": "none"}
    assert await site.rows("SELECT id FROM task_instance WHERE needs_propagation") == []


async def test_a_task_that_ends_while_its_run_is_queued_again_is_counted_once(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b"), a_task("c", after=["a", "b"])))
    claims = await site.claim()
    await mark_run(site.backends, run.dag_id, run.run_id, RunState.QUEUED)
    await site.succeed(claims["a"])
    await site.advance()

    state = await site.run_state(run)
    await site.succeed(claims["b"])

    assert (state, (await site.run(run.key)).unfinished) == ("running", 2)
    assert await site.work() == ["c"]
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


async def test_a_task_that_depends_on_its_past_waits_for_ever_where_that_failed_and_goes_on_when_it_is_marked(
    site: LedgerSite,
) -> None:
    await site.put(a_dag(a_task("chained", depends_on_past=True)))
    first, second = await dated(site, 2)
    await site.work(failing={"chained"})
    before = await site.states(second)

    await mark_run(site.backends, first.dag_id, first.run_id, RunState.QUEUED)
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
    await site.advancer.step()

    assert await site.run_state(second) == "success"


async def test_runs_that_wait_for_their_past_hide_no_other_news(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_advancer, "MOST_RUNS", 3)
    await site.put(a_dag(a_task("chained", depends_on_past=True), dag_id="chained"))
    for day in range(6):
        await site.trigger("chained", logical_date=NOW + day * DAY)
    await site.settle()
    run = await site.begin(a_dag(a_task("t")))
    await site.succeed((await site.claim(99))["t"])
    async with site.metastore.transaction() as tx:
        await tx.execute("UPDATE task_instance SET needs_propagation = :no", {"no": False})
        await tx.execute(
            "UPDATE dag_run SET has_news = :yes, unfinished = 0 WHERE id = :id", {"yes": True, "id": run.key}
        )

    for _ in range(4):
        await site.advancer.step()

    assert await site.run_state(run) == "success"


async def test_advancers_at_once_never_do_a_thing_twice(open_postgres_site: OpenSite) -> None:
    sites = [open_postgres_site() for _ in range(3)]
    middle = [f"m{number}" for number in range(4)]
    await sites[0].put(
        a_dag(
            a_task("first"),
            *(a_task(name, after=["first"]) for name in middle),
            a_task("last", after=middle),
            max_active_runs=4,
        )
    )
    runs = [await sites[0].trigger() for _ in range(8)]

    async def advance(site: LedgerSite) -> None:
        site.advancer.ring([run.key for run in runs])
        await site.advance()

    while {await sites[0].run_state(run) for run in runs} != {"success"}:
        await asyncio.gather(*map(advance, sites))
        running = [run for run in runs if await sites[0].run_state(run) == "running"]
        assert len(running) <= 4
        await sites[0].settle()
        for claimed in await sites[0].worker().claim_next(["default"], 7):
            await sites[0].succeed(claimed)

    for run in runs:
        for task in ["first", *middle, "last"]:
            assert await sites[0].causes(run, task) == ["scheduled", "queued", "claimed", "succeeded"]
    assert await sites[0].rows("SELECT DISTINCT up_success FROM task_instance WHERE task_id = 'last'") == [(4,)]
