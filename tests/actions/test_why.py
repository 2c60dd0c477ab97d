"""why: every reason that a task instance is not running, in words that say what to do."""

from datetime import timedelta

import pytest

from flowd.actions.clear_tasks import clear_run
from flowd.actions.pause_dag import set_paused
from flowd.actions.task_queues import set_queue_paused
from flowd.actions.why import why
from flowd.domain.dag_run import DagRun
from flowd.domain.errors import NotFound
from flowd.domain.ids import DagId, RunId, TaskId
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_events import Failed, Rescheduled
from tests.support.ledger_site import LedgerSite
from tests.support.specs import NOW, a_dag, a_task

PAUSED = "DAG 'etl' is paused; unpause it with: flowd dags unpause etl"


async def reasons(site: LedgerSite, run: DagRun, task_id: str) -> list[str]:
    return await why(site.backends, run.dag_id, run.run_id, TaskId(task_id))


async def test_what_runs_or_has_ended_has_no_reason_not_to(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b")))
    claims = await site.claim()
    await site.succeed(claims["b"])

    assert (await reasons(site, run, "a"), await reasons(site, run, "b")) == ([], [])


async def test_a_queued_run_waits_for_a_scheduler_or_for_the_runs_before_it(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("a"), max_active_runs=1))
    first, second = await site.trigger(), await site.trigger()
    before = await reasons(site, first, "a")
    await site.settle()

    assert before == ["its run is queued: no scheduler has started it yet"]
    assert await reasons(site, second, "a") == [
        "its run is queued: 1 runs of the DAG are running, and max_active_runs is 1"
    ]


async def test_a_run_that_was_asked_for_later_says_when(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("a")))
    later = NOW + timedelta(days=365_000)
    run = await site.trigger(run_after=later)

    assert await reasons(site, run, "a") == [f"its run is queued: it is not to start before {later.isoformat()}"]


async def test_a_task_for_a_paused_queue_says_so(site: LedgerSite) -> None:
    await set_queue_paused(site.backends, "gpu", True)
    run = await site.begin(a_dag(a_task("a", queue="gpu")))

    assert await reasons(site, run, "a") == ["queue 'gpu' is paused; nothing is queued in it until it is resumed"]


async def test_a_paused_dag_is_the_first_reason(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"])))
    await set_paused(site.backends, run.dag_id, True)
    queued = await site.trigger()

    assert await reasons(site, run, "a") == [PAUSED, "try 1 is in queue 'default' and no worker has claimed it yet"]
    assert (await reasons(site, run, "b"))[0] == (await reasons(site, queued, "a"))[0] == PAUSED


async def test_upstreams_that_are_not_done_are_counted(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b"), a_task("c", after=["a", "b"])))
    before = await reasons(site, run, "c")
    claims = await site.claim()
    await site.succeed(claims["a"])
    await site.advance()
    between = await reasons(site, run, "c")
    await site.succeed(claims["b"])
    async with site.metastore.transaction() as tx:
        await tx.execute("UPDATE task_instance SET up_success = 2 WHERE task_id = 'c'")

    assert before == ["trigger rule all_success: 2 of 2 upstream tasks are not done"]
    assert between == ["trigger rule all_success: 1 of 2 upstream tasks is not done"]
    assert await reasons(site, run, "c") == ["it is ready, and no scheduler has looked at it yet"]


async def test_a_past_that_is_not_settled_is_said(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("a", depends_on_past=True)))
    await site.trigger(logical_date=NOW)
    run = await site.trigger(logical_date=NOW + timedelta(days=1))
    await site.settle()

    assert await reasons(site, run, "a") == [
        "it depends on its past, and the same task of the run before has not succeeded"
    ]


async def test_every_limit_of_admission_is_said_with_its_numbers(site: LedgerSite) -> None:
    await site.set_pool("gpu", 1)
    run = await site.begin(
        a_dag(
            a_task("first", pool="gpu", priority=2),
            a_task("full", pool="gpu"),
            a_task("big", pool="gpu", pool_slots=2),
            a_task("lost", pool="nosuch"),
            a_task("rare", max_active_tis_per_dag=1),
        )
    )
    other = await site.trigger()
    await site.settle()

    assert await reasons(site, run, "full") == ["pool 'gpu' is full: 1 of 1 slots are taken"]
    assert await reasons(site, run, "big") == ["it asks for 2 slots of pool 'gpu', which has 1 in all"]
    assert await reasons(site, run, "lost") == [
        "pool 'nosuch' does not exist; create it with: flowd pools set nosuch SLOTS"
    ]
    assert await reasons(site, other, "rare") == [
        "1 instances of etl.rare are queued or running; max_active_tis_per_dag is 1"
    ]


async def test_a_full_run_is_said_and_a_place_that_is_free(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a", priority=2), a_task("b"), max_active_tasks=1))
    full = await reasons(site, run, "b")
    await site.succeed((await site.claim())["a"])

    assert full == ["its run has 1 tasks queued or running, and max_active_tasks is 1"]
    assert await reasons(site, run, "b") == ["it has a place, and the next pass of a scheduler will queue it"]


async def test_what_waits_for_a_moment_says_which(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("retry", retry=RetryPolicy(retries=1)), a_task("sensor"), a_task("cleared")))
    claims = await site.claim()
    minute = timedelta(minutes=1)
    await site.report(claims["retry"].assignment.instance, Failed(claims["retry"].token, minute))
    await site.report(claims["sensor"].assignment.instance, Rescheduled(claims["sensor"].token, minute))
    moments = {name: (await site.instance(run, name)).not_before for name in ("retry", "sensor")}
    assert moments["retry"] and moments["sensor"]

    assert await reasons(site, run, "retry") == [f"it waits (up_for_retry) until {moments['retry'].isoformat()}"]
    assert await reasons(site, run, "sensor") == [f"it waits (up_for_reschedule) until {moments['sensor'].isoformat()}"]


async def test_a_restarting_task_waits_for_its_old_process(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a")))
    await site.claim()
    await clear_run(site.backends, run.dag_id, run.run_id)
    held_until = (await site.instance(run, "a")).held_until
    assert held_until

    (last,) = (await reasons(site, run, "a"))[-1:]

    assert last == (
        f"it restarts when its old process is dead: when its worker says so, or at {held_until.isoformat()}"
    )


async def test_what_is_not_there_is_named(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a")))

    with pytest.raises(NotFound, match=r"^The Task with ID: `x` was not found in Dag `etl`$"):
        await reasons(site, run, "x")
    with pytest.raises(NotFound, match=r"^The DagRun with dag_id: `etl` and run_id: `no` was not found$"):
        await why(site.backends, DagId("etl"), RunId("no"), TaskId("a"))


async def test_a_task_that_its_run_no_longer_has_waits_to_be_removed(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("old")))
    await site.put(a_dag(a_task("new")))
    await site.change("UPDATE dag_run SET dag_version = (SELECT version FROM dag)")

    assert await why(site.backends, run.dag_id, run.run_id, TaskId("old")) == [
        "its run was moved to a version of the DAG without it, and the scheduler will remove it"
    ]
