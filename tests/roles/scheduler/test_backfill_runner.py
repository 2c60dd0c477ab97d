"""BackfillRunner: each date of a backfill has its run or the reason why not, once, whoever handles it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd.actions.backfill import RUNS_AT_ONCE, cancel_backfill, create_backfill, pause_backfill
from flowd.actions.clear_tasks import ClearSelection, clear_run, clear_within
from flowd.actions.mark import mark_run
from flowd.actions.pause_dag import set_paused
from flowd.actions.why import why
from flowd.db import backfills
from flowd.db.ledger import advance
from flowd.domain.backfill import Backfill, BackfillRequest, ReprocessBehavior
from flowd.domain.dag_spec import DagSpec
from flowd.domain.ids import DagId, RunId, TaskId
from flowd.domain.states import RunState
from flowd.domain.timetable import CronTriggerTimetable
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

ETL = DagId("etl")
DAY = timedelta(days=1)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
SETTLING_SECONDS = 0.3
"""Long enough for a statement to come to the row it must wait for; were it too short, nothing would fail."""


def a_daily_dag(*, dag_id: str = "etl", **fields: Any) -> DagSpec:
    """A DAG whose schedule is long over: nothing but a backfill runs it."""
    daily = CronTriggerTimetable("0 0 * * *", "UTC")
    return a_dag(a_task("t"), dag_id=dag_id, timetable=daily, start_date=FIRST, end_date=FIRST, **fields)


async def begin(site: LedgerSite, days: int = 4, **fields: Any) -> Backfill:
    """Ask for a backfill of so many days, and let the schedulers handle its dates."""
    wanted: dict[str, Any] = {"dag_id": ETL, "to_date": FIRST + (days - 1) * DAY, "max_active_runs": 2}
    request = BackfillRequest(from_date=FIRST, **(wanted | fields))
    made = await create_backfill(site.backends, request, user="ann")
    await site.backfill()
    return await now(site, made)


async def now(site: LedgerSite, backfill: Backfill) -> Backfill:
    async with site.metastore.reading() as tx:
        found = await backfills.get(tx, backfill.key)
    assert found is not None
    return found


async def runs(site: LedgerSite, *, state: str | None = None) -> list[str]:
    """The days of January 2024 that have a run, or one in this state."""
    rows = await site.rows("SELECT logical_date, state FROM dag_run ORDER BY logical_date")
    return [_day(date) for date, found in rows if state in (None, found)]


def _day(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 10**6, UTC).strftime("%d")


async def reasons(site: LedgerSite) -> list[tuple[str, str | None]]:
    rows = await site.rows("SELECT interval_start, exception_reason FROM backfill_date ORDER BY place")
    return [(_day(start), reason) for start, reason in rows]


async def test_every_date_has_its_run_and_the_backfill_ends_with_the_last(site: LedgerSite) -> None:
    await site.put(a_daily_dag())

    backfill = await begin(site, conf={"why": "again"})
    made = await site.rows(
        "SELECT run_id, run_type, triggered_by, triggering_user, conf, state, logical_date = run_after"
        " FROM dag_run ORDER BY id"
    )
    is_live = (await now(site, backfill)).completed_at is None
    await site.work()
    await site.backfill()

    assert made == [
        (f"backfill__2024-01-0{day}T00:00:00+00:00", "backfill", "backfill", "ann", '{"why": "again"}', "queued", True)
        for day in (1, 2, 3, 4)
    ]
    assert is_live
    assert (await now(site, backfill)).completed_at is not None
    assert await runs(site, state="success") == ["01", "02", "03", "04"]


async def test_more_dates_than_a_transaction_handles_are_handled_in_several(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    days = RUNS_AT_ONCE * 2 + 7

    backfill = await begin(site, days)

    assert (backfill.planned, backfill.handled, backfill.is_all_handled) == (days, days, True)
    assert await site.rows("SELECT COUNT(*), COUNT(DISTINCT logical_date), MAX(backfill_ordinal) FROM dag_run") == [
        (days, days, days)
    ]


@pytest.mark.parametrize("is_backwards", [False, True])
async def test_its_own_limit_holds_and_its_order(site: LedgerSite, is_backwards: bool) -> None:
    await site.put(a_daily_dag(max_active_runs=1))
    await site.trigger(logical_date=FIRST + 20 * DAY)
    await begin(site, is_backwards=is_backwards)

    await site.settle()
    running = await runs(site, state="running")
    for claimed in await site.worker().claim_next(["default"], 100):
        await site.succeed(claimed)
    await site.settle()

    assert running == (["03", "04", "21"] if is_backwards else ["01", "02", "21"])
    assert await runs(site, state="running") == (["01", "02"] if is_backwards else ["03", "04"])


async def test_the_runs_of_a_backfill_do_not_count_in_the_dags_limit(site: LedgerSite) -> None:
    await site.put(a_daily_dag(max_active_runs=1))
    await begin(site, max_active_runs=3)
    await site.settle()

    run = await site.trigger(logical_date=FIRST + 20 * DAY)
    await site.settle()

    assert await site.run_state(run) == "running"
    assert len(await runs(site, state="running")) == 4


async def test_the_runs_of_a_paused_dag_wait_until_it_is_unpaused(site: LedgerSite) -> None:
    await site.put(a_daily_dag(), paused=True)
    await begin(site)
    await site.settle()
    before = await runs(site, state="running")

    await set_paused(site.backends, ETL, False)
    await site.settle()

    assert (before, await runs(site, state="running")) == ([], ["01", "02"])


async def test_a_paused_backfill_starts_no_run_until_it_is_resumed(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    backfill = await begin(site)
    await site.settle()

    await pause_backfill(site.backends, backfill.key, True)
    (told, *_) = await why(site.backends, ETL, RunId("backfill__2024-01-03T00:00:00+00:00"), TaskId("t"))
    await site.work()
    await site.backfill()
    while_paused = await runs(site, state="queued"), (await now(site, backfill)).completed_at
    await pause_backfill(site.backends, backfill.key, False)
    await site.work()
    await site.backfill()

    assert while_paused == (["03", "04"], None)
    assert told == f"its run is queued: backfill {backfill.key} is paused; flowd backfill resume {backfill.key}"
    assert await runs(site, state="success") == ["01", "02", "03", "04"]
    assert (await now(site, backfill)).completed_at is not None


async def test_a_cancelled_backfill_fails_what_is_queued_and_lets_what_runs_go_on(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    backfill = await begin(site)
    await site.settle()

    cancelled = await cancel_backfill(site.backends, backfill.key)
    await site.work()
    await site.backfill()

    assert cancelled.completed_at is not None and cancelled.is_paused
    assert (await runs(site, state="success"), await runs(site, state="failed")) == (["01", "02"], ["03", "04"])
    assert not (await now(site, backfill)).is_cancelling
    causes = "SELECT DISTINCT cause FROM run_transition WHERE to_state = 'failed'"
    assert await site.rows(causes) == [("backfill cancelled",)]


async def test_nothing_is_left_to_do_in_runs_that_were_to_run_again_and_are_cancelled(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    for day in range(2):
        await site.trigger(logical_date=FIRST + day * DAY)
    await site.work()
    backfill = await begin(site, 2, reprocess_behavior=ReprocessBehavior.COMPLETED)

    await cancel_backfill(site.backends, backfill.key)
    await site.settle()

    assert await site.rows("SELECT state, unfinished FROM dag_run") == [("failed", 0)] * 2
    assert await site.rows("SELECT state FROM task_instance") == [("skipped",)] * 2


async def test_what_a_node_that_died_while_it_cancelled_has_left_is_failed_by_a_scheduler(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    backfill = await begin(site)
    async with site.metastore.transaction() as tx:
        await backfills.cancel(tx, backfill.key, await tx.now())

    await site.settle()
    started = await runs(site, state="running")
    await site.backfill()

    assert started == []
    assert await runs(site, state="failed") == ["01", "02", "03", "04"]


async def test_a_cancelled_backfill_makes_no_more_runs(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    request = BackfillRequest(dag_id=ETL, from_date=FIRST, to_date=FIRST + 9 * DAY)
    backfill = await create_backfill(site.backends, request)
    await site.backfill_planner.step()

    await cancel_backfill(site.backends, backfill.key)
    await site.backfill()

    assert await runs(site) == []


@pytest.mark.parametrize("how", ["clear", "mark"])
async def test_a_run_of_an_ended_backfill_that_is_cleared_runs_as_any_other_of_its_dag(
    site: LedgerSite, how: str
) -> None:
    await site.put(a_daily_dag())
    backfill = await begin(site)
    await cancel_backfill(site.backends, backfill.key)
    run_id = RunId("backfill__2024-01-03T00:00:00+00:00")

    if how == "clear":
        await clear_run(site.backends, ETL, run_id)
    else:
        await mark_run(site.backends, ETL, run_id, RunState.QUEUED)
    await site.work()

    assert await runs(site, state="success") == ["03"]


async def test_a_run_whose_backfill_was_deleted_long_ago_can_be_cleared(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    await begin(site, 1)
    await site.work()
    await site.backfill()
    await site.change("DELETE FROM backfill")

    await clear_run(site.backends, ETL, RunId("backfill__2024-01-01T00:00:00+00:00"))
    await site.work()

    assert await runs(site, state="success") == ["01"]


async def test_a_run_is_run_again_on_its_own_version_where_its_dag_is_gone(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    await site.trigger(logical_date=FIRST)
    await site.work()
    request = BackfillRequest(
        dag_id=ETL, from_date=FIRST, to_date=FIRST, reprocess_behavior=ReprocessBehavior.COMPLETED
    )
    await create_backfill(site.backends, request)
    await site.change("UPDATE dag SET is_active = FALSE")

    await site.backfill()

    assert await runs(site, state="queued") == ["01"]


async def test_a_run_that_is_cleared_keeps_its_backfill_from_ending(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    backfill = await begin(site)
    await site.work()

    await clear_run(site.backends, ETL, RunId("backfill__2024-01-01T00:00:00+00:00"))
    await site.backfill()
    before = (await now(site, backfill)).completed_at
    await site.work()
    await site.backfill()

    assert before is None
    assert (await now(site, backfill)).completed_at is not None


@pytest.mark.parametrize(
    ("behavior", "again", "told"),
    [
        (ReprocessBehavior.NONE, [], ["already exists", "already exists", "in flight", None]),
        (ReprocessBehavior.FAILED, ["02"], ["already exists", None, "in flight", None]),
        (ReprocessBehavior.COMPLETED, ["01", "02"], [None, None, "in flight", None]),
    ],
)
async def test_a_date_that_has_a_run_is_skipped_or_run_again(
    site: LedgerSite, behavior: ReprocessBehavior, again: list[str], told: list[str | None]
) -> None:
    await site.put(a_daily_dag())
    await site.trigger(logical_date=FIRST)
    await site.work()
    await site.trigger(logical_date=FIRST + DAY)
    await site.work(failing=["t"])
    await site.trigger(logical_date=FIRST + 2 * DAY, conf={"mine": 1})

    await begin(site, reprocess_behavior=behavior, conf={"why": "again"}, max_active_runs=9)

    assert await reasons(site) == list(zip(["01", "02", "03", "04"], told, strict=True))
    changed = await site.rows(
        "SELECT logical_date, run_type, triggered_by, conf, state FROM dag_run WHERE backfill IS NOT NULL"
        " ORDER BY logical_date"
    )
    assert [_day(row[0]) for row in changed] == [*again, "04"]
    assert {row[1:] for row in changed} == {("backfill", "backfill", '{"why": "again"}', "queued")}
    assert await site.rows("SELECT conf FROM dag_run WHERE run_type = 'manual' AND state = 'queued'") == [
        ('{"mine": 1}',)
    ]


async def test_runs_that_are_run_again_backwards_go_backwards(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    for day in range(3):
        await site.trigger(logical_date=FIRST + day * DAY)
    await site.work()

    await begin(site, 3, reprocess_behavior=ReprocessBehavior.COMPLETED, is_backwards=True, max_active_runs=1)
    await site.settle()

    assert await runs(site, state="running") == ["03"]


async def test_a_run_that_never_began_is_run_again(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    first = await begin(site, 2)
    await cancel_backfill(site.backends, first.key)

    await begin(site, 2, reprocess_behavior=ReprocessBehavior.FAILED)
    await site.work()

    assert await runs(site, state="success") == ["01", "02"]


async def test_an_id_that_a_run_of_another_date_has_taken_is_told(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    await site.trigger(run_id="backfill__2024-01-01T00:00:00+00:00")

    await begin(site, 1)

    assert await reasons(site) == [("01", "unknown")]


async def test_a_backfill_none_of_whose_dates_got_a_run_has_ended(site: LedgerSite) -> None:
    await site.put(a_daily_dag())
    await site.trigger(logical_date=FIRST)
    await site.work()

    backfill = await begin(site, 1)

    assert backfill.completed_at is not None


async def test_runs_that_depend_on_their_past_go_one_after_the_other(site: LedgerSite) -> None:
    await site.put(
        a_dag(
            a_task("t", depends_on_past=True),
            timetable=CronTriggerTimetable("0 0 * * *", "UTC"),
            start_date=FIRST,
            end_date=FIRST,
        )
    )
    await begin(site, 3, reprocess_behavior=ReprocessBehavior.FAILED, max_active_runs=3)
    await site.settle()

    claims = [len(await site.worker().claim_next(["default"], 100))]
    await site.settle()

    assert claims == [1]
    assert len(await runs(site, state="running")) == 3


async def test_runners_and_planners_at_once_make_each_run_once(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(3)]
    names = [f"dag{number}" for number in range(3)]
    await sites[0].put(*(a_daily_dag(dag_id=name) for name in names))
    days = RUNS_AT_ONCE + 20
    for name in names:
        request = BackfillRequest(dag_id=DagId(name), from_date=FIRST, to_date=FIRST + (days - 1) * DAY)
        await create_backfill(sites[0].backends, request)

    await asyncio.gather(*(site.backfill() for site in sites))
    await sites[0].backfill()

    rows = await sites[0].rows("SELECT dag_id, COUNT(DISTINCT logical_date), COUNT(*) FROM dag_run GROUP BY dag_id")
    assert sorted(rows) == [(name, days, days) for name in names]
    handled = await sites[0].rows("SELECT planned, handled FROM backfill")
    assert handled == [(days, days)] * 3


async def test_advancers_at_once_keep_to_a_backfills_limit(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(3)]
    await sites[0].put(a_daily_dag())
    await begin(sites[0], 40, max_active_runs=5)

    await asyncio.gather(*(site.advance() for site in sites))

    assert len(await runs(sites[0], state="running")) == 5


async def test_a_batch_that_fails_leaves_nothing_and_is_made_again(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.put(a_daily_dag())
    await site.trigger(logical_date=FIRST)
    await site.work()
    request = BackfillRequest(
        dag_id=ETL, from_date=FIRST, to_date=FIRST + 3 * DAY, reprocess_behavior=ReprocessBehavior.COMPLETED
    )
    backfill = await create_backfill(site.backends, request)
    await site.backfill_planner.step()
    settle = backfills.settle

    async def breaks(*_: Any) -> None:
        raise RuntimeError("the connection broke")

    monkeypatch.setattr(backfills, "settle", breaks)
    assert await site.backfill_runner.step() is False
    left = await site.rows("SELECT run_type, state FROM dag_run"), (await now(site, backfill)).handled
    monkeypatch.setattr(backfills, "settle", settle)
    await site.backfill()

    assert left == ([("manual", "success")], 0)
    assert await runs(site, state="queued") == ["01", "02", "03", "04"]


async def test_a_backfill_does_not_end_under_a_run_that_is_just_being_cleared(open_server_site: OpenSite) -> None:
    site, other = open_server_site(), open_server_site()
    await site.put(a_daily_dag())
    backfill = await begin(site, 2)
    await site.work()
    selection = ClearSelection(dag_id=ETL, run_id=RunId("backfill__2024-01-01T00:00:00+00:00"))

    async with site.metastore.transaction() as tx:
        await clear_within(tx, site.graphs, selection, dry_run=False)
        ending = asyncio.ensure_future(other.backfill_runner.step())
        done, _ = await asyncio.wait({ending}, timeout=SETTLING_SECONDS)
        assert not done
    await ending
    before = (await now(site, backfill)).completed_at
    await site.work()
    await site.backfill()

    assert before is None
    assert await runs(site, state="success") == ["01", "02"]
    assert (await now(site, backfill)).completed_at is not None


async def test_a_run_that_is_cleared_while_its_backfill_ends_is_not_left_behind(open_server_site: OpenSite) -> None:
    site, other = open_server_site(), open_server_site()
    await site.put(a_daily_dag())
    backfill = await begin(site, 2)
    await site.work()

    async with site.metastore.transaction() as tx:
        await advance.lock_dags(tx, {ETL})
        await backfills.complete(tx, backfill.key, await tx.now())
        clearing = asyncio.ensure_future(clear_run(other.backends, ETL, RunId("backfill__2024-01-01T00:00:00+00:00")))
        done, _ = await asyncio.wait({clearing}, timeout=SETTLING_SECONDS)
        assert not done
    await clearing
    queued = await site.rows("SELECT backfill FROM dag_run WHERE state = 'queued'")
    await site.work()

    assert queued == [(None,)]
    assert await runs(site, state="success") == ["01", "02"]


async def test_no_run_of_a_backfill_that_is_cancelled_while_its_runs_are_made_is_left(
    open_server_site: OpenSite,
) -> None:
    sites = [open_server_site() for _ in range(3)]
    await sites[0].put(a_daily_dag(), paused=True)
    days = RUNS_AT_ONCE * 4
    request = BackfillRequest(dag_id=ETL, from_date=FIRST, to_date=FIRST + (days - 1) * DAY)
    backfill = await create_backfill(sites[0].backends, request)
    await sites[0].backfill_planner.step()
    while await sites[0].backfill_planner.step():
        pass

    await asyncio.gather(sites[0].backfill(), sites[1].backfill(), cancel_backfill(sites[2].backends, backfill.key))
    await sites[0].backfill()

    assert await runs(sites[0], state="queued") == []
    (made,) = await sites[0].rows("SELECT COUNT(*) FROM dag_run WHERE state = 'failed'")
    assert made == ((await now(sites[0], backfill)).handled,)
