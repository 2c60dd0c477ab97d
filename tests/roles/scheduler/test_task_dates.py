"""Runs without the tasks whose own dates do not hold the run's, and what becomes of those that wait for them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flowd.actions.clear_tasks import ClearSelection, clear_tasks
from flowd.actions.why import why
from flowd.domain.ids import TaskId
from flowd.domain.map_length import Expansion, LiteralLength
from flowd.domain.task_spec import TaskRole
from flowd.domain.trigger_rules import TriggerRule
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

R = TriggerRule
MARCH: dict[str, Any] = {"logical_date": datetime(2026, 3, 1, tzinfo=UTC)}
JULY: dict[str, Any] = {"logical_date": datetime(2026, 7, 1, tzinfo=UTC)}
LATE: dict[str, Any] = {"start_date": datetime(2026, 6, 1, tzinfo=UTC)}


async def test_a_run_before_a_tasks_start_is_without_it_and_a_later_one_has_it(site: LedgerSite) -> None:
    spec = a_dag(a_task("a"), a_task("late", after=["a"], **LATE), a_task("ended", end_date=LATE["start_date"]))

    early = await site.begin(spec, **MARCH)
    await site.work()
    later = await site.trigger(**JULY)
    await site.work()

    assert await site.states(early) == {"a": "success", "ended": "success"}
    assert await site.states(later) == {"a": "success", "late": "success"}
    assert [await site.run_state(run) for run in (early, later)] == ["success", "success"]
    (reason,) = await why(site.backends, early.dag_id, early.run_id, TaskId("late"))
    assert reason.startswith("the run is without task 'late': the logical date 2026-03-01 00:00:00+00:00 is before its")


async def test_a_run_without_any_task_is_a_success(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("late", **LATE)), **MARCH)

    assert (await site.states(run), await site.run_state(run)) == ({}, "success")


async def test_what_waits_for_an_absent_task_ends_with_the_run_when_nothing_else_can_go_on(site: LedgerSite) -> None:
    spec = a_dag(a_task("late", **LATE), a_task("b", after=["late"]), a_task("c"), a_task("end", after=["b", "c"]))
    run = await site.begin(spec, **MARCH)
    before = await site.states(run)

    await site.work()

    assert before == {"b": "none", "c": "queued", "end": "none"}
    assert await site.states(run) == {"b": "upstream_failed", "c": "success", "end": "upstream_failed"}
    assert (await site.run_state(run), (await site.run(run.key)).unfinished) == ("failed", 0)
    (reason,) = await why(site.backends, run.dag_id, run.run_id, TaskId("end"))
    assert reason.startswith("the run is without task 'late'")


@pytest.mark.parametrize(
    ("rule", "state", "run_state"),
    [
        (R.ALL_SUCCESS, "upstream_failed", "failed"),
        (R.ALL_DONE, "upstream_failed", "failed"),
        (R.NONE_FAILED, "upstream_failed", "failed"),
        (R.ONE_SUCCESS, "success", "success"),
        (R.ONE_DONE, "success", "success"),
        (R.ALL_FAILED, "skipped", "success"),
        (R.ALWAYS, "success", "success"),
    ],
)
async def test_a_rule_that_is_met_without_the_absent_task_lets_go(
    site: LedgerSite, rule: TriggerRule, state: str, run_state: str
) -> None:
    spec = a_dag(a_task("late", **LATE), a_task("ok"), a_task("t", after=["late", "ok"], trigger_rule=rule))
    run = await site.begin(spec, **MARCH)

    await site.work()

    assert await site.states(run) == {"ok": "success", "t": state}
    assert await site.run_state(run) == run_state


async def test_a_mapped_task_and_a_setup_may_be_absent_too(site: LedgerSite) -> None:
    spec = a_dag(
        a_task("m", expansion=Expansion(length=LiteralLength(3)), **LATE),
        a_task("setup", role=TaskRole.SETUP, **LATE),
        a_task("work", after=["setup"]),
        a_task("c"),
    )
    run = await site.begin(spec, **MARCH)

    await site.work()

    assert await site.states(run) == {"work": "upstream_failed", "c": "success"}


async def test_a_deadlocked_run_that_is_cleared_comes_to_the_same_end(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("late", **LATE), a_task("b", after=["late"]), a_task("c")), **MARCH)
    await site.work()

    again = ClearSelection(dag_id=run.dag_id, run_id=run.run_id, task_ids=[TaskId("b"), TaskId("c")])
    await clear_tasks(site.backends, again, dry_run=False)
    order = await site.work()

    assert order == ["c"]
    assert await site.states(run) == {"b": "upstream_failed", "c": "success"}
    assert await site.run_state(run) == "failed"


async def test_what_waits_for_its_past_is_no_deadlock(site: LedgerSite) -> None:
    spec = a_dag(a_task("late", **LATE), a_task("b", after=["late"]), a_task("c", depends_on_past=True))
    await site.begin(spec, logical_date=datetime(2026, 2, 1, tzinfo=UTC))
    run = await site.trigger(**MARCH)
    await site.settle()

    waiting = await site.run_state(run)
    await site.work()

    assert waiting == "running"
    assert (await site.run_state(run), await site.states(run)) == ("failed", {"b": "upstream_failed", "c": "success"})
