"""clear_tasks: what is to run again runs again, with its past forgotten and no two of its processes at once."""

from datetime import timedelta
from typing import Any

import pytest

from flowd.actions.clear_tasks import ClearSelection, clear_run, clear_tasks
from flowd.db import xcoms
from flowd.domain.dag_run import DagRun
from flowd.domain.errors import IllegalTransition, InvalidInput, NotFound
from flowd.domain.ids import DagId, RunId
from flowd.domain.retry import RetryPolicy
from flowd.domain.states import TaskState
from flowd.domain.task_spec import TaskRole
from flowd.domain.trigger_rules import TriggerRule
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LEASE, LedgerSite
from tests.support.paper_queue import PaperQueue
from tests.support.specs import NOW, a_dag, a_task, ids

DAY = timedelta(days=1)
LINE = a_dag(a_task("a"), a_task("b", after=["a"]), a_task("c", after=["b"]))


async def clear(
    site: LedgerSite, run: DagRun | None = None, *tasks: str, dry_run: bool = False, **fields: Any
) -> list[str]:
    """Clear these tasks of a run, or all, and return what was cleared, sorted, one name for each instance."""
    selection = ClearSelection(
        dag_id=DagId("etl"),
        run_id=run.run_id if run else None,
        task_ids=ids(*tasks) if tasks else None,
        **fields,
    )
    cleared = await clear_tasks(site.backends, selection, dry_run=dry_run)
    names = dict(await site.rows("SELECT id, task_id FROM task_instance"))
    return sorted(names[key] for key in cleared)


async def finished(site: LedgerSite, **ends: Any) -> DagRun:
    run = await site.begin(LINE)
    await site.work(**ends)
    return run


@pytest.mark.parametrize(
    ("fields", "cleared"),
    [
        ({}, ["b"]),
        ({"include_downstream": True}, ["b", "c"]),
        ({"include_upstream": True}, ["a", "b"]),
        ({"include_upstream": True, "include_downstream": True}, ["a", "b", "c"]),
    ],
    ids=["one", "downstream", "upstream", "both"],
)
async def test_exactly_what_was_chosen_runs_again_in_its_order(
    site: LedgerSite, fields: dict[str, bool], cleared: list[str]
) -> None:
    run = await finished(site)

    assert await clear(site, run, "b", **fields) == cleared
    assert await site.work() == cleared
    assert await site.run_state(run) == "success"
    assert (await site.run(run.key)).unfinished == 0


async def test_a_dry_run_says_what_would_be_cleared_and_changes_nothing(site: LedgerSite) -> None:
    run = await finished(site)

    assert await clear(site, run, "b", include_downstream=True, dry_run=True) == ["b", "c"]
    assert await site.run_state(run) == "success"
    assert set((await site.states(run)).values()) == {"success"}


async def test_only_what_failed_runs_again(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("well"), a_task("a"), a_task("b", after=["a"])))
    await site.work(failing={"a"})

    await clear_run(site.backends, run.dag_id, run.run_id, only_failed=True)

    assert await site.work() == ["a", "b"]
    assert await site.run_state(run) == "success"
    assert (await site.causes(run, "well")).count("claimed") == 1


async def test_a_whole_run_runs_again_as_a_new_try_of_each_task(site: LedgerSite) -> None:
    run = await finished(site)

    assert await clear(site, run) == ["a", "b", "c"]
    assert await site.work() == ["a", "b", "c"]
    assert await site.rows("SELECT DISTINCT try_number FROM task_instance") == [(2,)]


async def test_past_and_future_runs_are_chosen_by_their_date(site: LedgerSite) -> None:
    await site.put(LINE)
    runs = [await site.trigger(run_id=f"r{n}", logical_date=NOW + n * DAY, run_after=NOW + n * DAY) for n in range(4)]
    await site.work()

    async def chosen(run: DagRun | None, **fields: Any) -> list[str]:
        selection = ClearSelection(dag_id=DagId("etl"), run_id=run.run_id if run else None, task_ids=ids("b"), **fields)
        keys = await clear_tasks(site.backends, selection, dry_run=True)
        rows = await site.rows("SELECT t.id, d.run_id FROM task_instance t JOIN dag_run d ON d.id = t.run")
        return sorted(dict(rows)[key] for key in keys)

    assert await chosen(runs[1]) == ["r1"]
    assert await chosen(runs[1], include_past=True) == ["r0", "r1"]
    assert await chosen(runs[1], include_future=True) == ["r1", "r2", "r3"]
    assert await chosen(None) == ["r0", "r1", "r2", "r3"]
    assert await chosen(None, start_date=NOW + DAY, end_date=NOW + 2 * DAY) == ["r1", "r2"]


async def test_what_a_branch_did_not_take_is_skipped_again(site: LedgerSite) -> None:
    run = await site.begin(
        a_dag(
            a_task("branch"),
            a_task("left", after=["branch"]),
            a_task("right", after=["branch"]),
            a_task("join", after=["left", "right"], trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS),
        )
    )
    await site.work(branches={"branch": ["right"]})

    await clear(site, run, "left", "right", include_downstream=True)
    order = await site.work()

    assert order == ["left", "join"]
    assert (await site.states(run))["right"] == "skipped"


async def test_a_branch_that_is_cleared_may_decide_otherwise(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("branch"), a_task("left", after=["branch"]), a_task("right", after=["branch"])))
    await site.work(branches={"branch": ["right"]})

    await clear(site, run)
    order = await site.work(branches={"branch": ["left"]})

    assert order == ["branch", "right"]
    assert (await site.states(run))["left"] == "skipped"


async def test_i10_a_running_task_is_fenced_and_begins_again_only_after_its_old_process(site: LedgerSite) -> None:
    run = await site.begin(LINE)
    claimed = (await site.claim())["a"]

    assert await clear(site, run, "a", only_running=True) == ["a"]
    late = await site.succeed(claimed)
    before = await site.work()
    await site.pass_time(LEASE)

    assert isinstance(late, IllegalTransition)
    assert (before, await site.work()) == ([], ["a", "b", "c"])
    assert [one.target for one in await site.history(run, "a")][2:6] == ["running", "restarting", "none", "scheduled"]


async def test_what_is_below_and_about_to_start_waits_again(site: LedgerSite) -> None:
    run = await site.begin(LINE)
    await site.succeed((await site.claim())["a"])
    await site.settle()
    queued = await site.instance(run, "b")

    assert await clear(site, run, "a") == ["a"]
    after = await site.states(run)
    order = await site.work()

    assert queued.state is TaskState.QUEUED
    assert after == {"a": "none", "b": "none", "c": "none"}
    assert order == ["a", "b", "c"]


async def test_a_task_in_the_middle_of_a_live_run_is_counted_anew(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b"), a_task("slow"), a_task("end", after=["a", "b", "slow"])))
    claims = await site.claim()
    await site.succeed(claims["a"])
    await site.advance()
    await site.succeed(claims["b"])

    await clear(site, run, "a")
    await site.succeed(claims["slow"])
    order = await site.work()

    assert order == ["a", "end"]
    assert (await site.run(run.key)).unfinished == 0
    assert await site.rows("SELECT up_success FROM task_instance WHERE task_id = 'end'") == [(3,)]


async def test_a_cleared_task_has_its_retries_again_and_its_xcoms_forgotten(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a", retry=RetryPolicy(retries=1, delay=timedelta(0)))))
    await site.work(failing={"a"})
    key = (await site.instance(run, "a")).key
    async with site.metastore.transaction() as tx:
        await xcoms.push(tx, [(key, "n", 1)], await tx.now())

    await clear(site, run, "a")
    forgotten = await site.rows("SELECT * FROM xcom")
    order = await site.work(failing={"a"})

    assert (forgotten, order) == ([], ["a", "a"])


async def test_without_reset_a_finished_run_stays_as_it_is(site: LedgerSite) -> None:
    run = await finished(site)

    await clear(site, run, "b", reset_dag_runs=False)

    assert await site.work() == []
    assert await site.run_state(run) == "success"
    assert (await site.states(run))["b"] == "none"


async def test_the_doorbell_is_rung_for_each_run_that_goes_on(open_site: OpenSite) -> None:
    broker = PaperQueue()
    site = open_site(broker=broker)
    run = await site.begin(LINE)
    await site.work()
    broker.rung.clear()

    await clear(site, run, "a", dry_run=True)
    assert broker.rung == []
    await clear(site, run, "a")
    assert broker.rung == [[run.key]]


@pytest.mark.parametrize("state", ["finished", "live"])
async def test_a_run_that_moves_to_the_latest_version_gets_its_new_tasks_and_loses_its_old_ones(
    site: LedgerSite, state: str
) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("old", after=["a"]), a_task("gone", after=["old"])))
    await site.succeed((await site.claim())["a"])
    await site.settle()
    if state == "finished":
        await site.work(failing={"old"})
    await site.put(a_dag(a_task("a"), a_task("new", after=["a"]), a_task("end", after=["new"])))

    await clear(site, run, "a", run_on_latest_version=True)
    order = await site.work()

    assert order == ["a", "new", "end"]
    assert await site.run_state(run) == "success"
    states = await site.states(run)
    assert {states["old"], states["gone"]} <= {"removed", "failed", "upstream_failed"}
    assert (await site.run(run.key)).unfinished == 0


async def test_a_task_that_ended_just_before_its_run_moved_to_a_version_without_it_holds_up_nothing(
    site: LedgerSite,
) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("old"), a_task("gone", after=["old"])))
    claims = await site.claim()
    await site.succeed(claims["a"])
    await site.succeed(claims["old"])
    await site.put(a_dag(a_task("a")))

    await clear(site, run, "a", run_on_latest_version=True)

    assert await site.work() == ["a"]
    assert await site.states(run) == {"a": "success", "old": "success", "gone": "removed"}
    assert (await site.run_state(run), (await site.run(run.key)).unfinished) == ("success", 0)


async def test_what_is_not_there_is_named(site: LedgerSite) -> None:
    run = await finished(site)

    with pytest.raises(InvalidInput, match=r"^DAG 'etl' has no task x, y$"):
        await clear(site, run, "y", "x", "a")
    with pytest.raises(NotFound, match=r"^The DagRun with dag_id: `etl` and run_id: `no` was not found$"):
        await clear_run(site.backends, DagId("etl"), RunId("no"))
    with pytest.raises(NotFound, match=r"^The Dag with ID: `no` was not found$"):
        await clear_run(site.backends, DagId("no"), run.run_id)


@pytest.mark.parametrize("state", ["scheduled", "queued", "running", "up_for_retry"])
async def test_what_a_live_run_loses_by_moving_is_removed_though_nothing_else_is_cleared(
    site: LedgerSite, state: str
) -> None:
    await site.set_pool("default_pool", 0 if state == "scheduled" else 9)
    run = await site.begin(a_dag(a_task("old", retry=RetryPolicy(retries=1))))
    if state in ("running", "up_for_retry"):
        claimed = (await site.claim())["old"]
        if state == "up_for_retry":
            await site.fail(claimed)
    before = (await site.states(run))["old"]
    await site.put(a_dag(a_task("new")), a_dag(a_task("x"), dag_id="other"))
    await site.set_pool("default_pool", 9)

    cleared = await clear_run(site.backends, run.dag_id, run.run_id, only_failed=True, run_on_latest_version=True)
    await site.pass_time(LEASE)
    other = await site.trigger("other")
    order = await site.work()

    assert (before, cleared, sorted(order)) == (state, [], ["new", "x"])
    assert await site.states(run) == {"old": "removed", "new": "success"}
    assert [await site.run_state(one) for one in (run, other)] == ["success", "success"]
    assert (await site.run(run.key)).unfinished == 0


async def test_a_finished_run_that_moves_and_has_nothing_to_clear_stays_finished(site: LedgerSite) -> None:
    run = await finished(site)

    await clear_run(site.backends, run.dag_id, run.run_id, only_failed=True, run_on_latest_version=True)
    await site.advance()

    assert await site.run_state(run) == "success"


async def test_work_runs_again_with_its_setup_and_teardown(site: LedgerSite) -> None:
    rule = TriggerRule.ALL_DONE_SETUP_SUCCESS
    run = await site.begin(
        a_dag(
            a_task("s", role=TaskRole.SETUP),
            a_task("a", after=["s"]),
            a_task("b", after=["a"]),
            a_task("t", after=["s", "b"], role=TaskRole.TEARDOWN, trigger_rule=rule),
        )
    )
    await site.work(failing={"t"})
    first_end = await site.run_state(run)

    assert await clear(site, run, "b") == ["b", "s", "t"]
    assert await site.work() == ["s", "b", "t"]
    assert (first_end, await site.run_state(run)) == ("success", "success")
