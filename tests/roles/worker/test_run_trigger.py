"""RunTrigger: one run for each wish of a task, whatever becomes of the tries that wish it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flowd.db.ledger.write import Measured
from flowd.domain.assignment import Assignment
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_events import Failed, Interrupted, Lost, ReportEvent
from flowd.domain.task_spec import OnLost
from flowd.roles.worker.run_trigger import RunTrigger
from tests.support.ledger_site import LedgerSite
from tests.support.specs import NOW, a_dag, a_task

ZERO = timedelta(0)
PARENT = a_dag(a_task("load", retry=RetryPolicy(retries=1)), dag_id="parent")
CHILD = a_dag(a_task("work"), dag_id="child")


async def a_try(site: LedgerSite) -> Assignment:
    await site.begin(PARENT, CHILD)
    return (await site.claim())["load"].assignment


async def ask(site: LedgerSite, assignment: Assignment, **fields: Any) -> dict[str, Any]:
    request = {"dag_id": "child", "number": 1, "conf": {"rows": 3}} | fields
    return await RunTrigger(site.backends, assignment).trigger(request)


async def test_the_run_is_made_by_the_task(site: LedgerSite) -> None:
    answer = await ask(site, await a_try(site), logical_date=NOW.isoformat(), note="why")

    rows = await site.rows("SELECT run_id, run_type, triggered_by, conf, note FROM dag_run WHERE dag_id = 'child'")
    assert answer == {"outcome": "triggered", "run_id": "manual__2026-01-01T12:00:00+00:00"}
    assert rows == [(answer["run_id"], "operator_triggered", "operator", '{"rows": 3}', "why")]


@pytest.mark.parametrize(
    ("event", "measured", "is_the_same_run"),
    [
        (lambda token: Lost(token, OnLost.RETRY), Measured(), True),
        (Interrupted, Measured(), True),
        (lambda token: Failed(token, ZERO), Measured(signal=9), True),
        (lambda token: Failed(token, ZERO), Measured(exit_code=0), False),
    ],
)
async def test_a_try_that_follows_one_that_broke_off_finds_its_run(
    site: LedgerSite, event: Any, measured: Measured, is_the_same_run: bool
) -> None:
    await site.begin(PARENT, CHILD)
    claimed = (await site.claim())["load"]
    first = await ask(site, claimed.assignment)
    ended: ReportEvent = event(claimed.token)
    await site.report(claimed.assignment.instance, ended, measured=measured)
    await site.wait_ender.step()
    await site.settle()

    second = (await site.claim())["load"].assignment
    again = await ask(site, second)

    assert second.try_number == 2
    assert (again["run_id"] == first["run_id"]) is is_the_same_run


async def test_the_same_question_of_one_try_has_the_same_answer_and_another_wish_another(site: LedgerSite) -> None:
    assignment = await a_try(site)

    answers = [await ask(site, assignment, number=number) for number in (1, 1, 2)]

    assert answers[0] == answers[1] != answers[2]


async def test_a_run_that_is_there_already_is_an_answer_and_may_be_cleared(site: LedgerSite) -> None:
    assignment = await a_try(site)
    before = await site.trigger("child", run_id="mine", logical_date=NOW)
    await site.work()

    refused = await ask(site, assignment, run_id="mine")
    by_date = await ask(site, assignment, run_id="other", logical_date=NOW.isoformat(), reset=True)

    assert refused["outcome"] == "exists" and "'mine' already" in refused["reason"]
    assert by_date == {"outcome": "reset", "run_id": "mine"}
    assert await site.run_state(before) == "queued"


async def test_an_unknown_or_paused_dag_is_an_answer(site: LedgerSite) -> None:
    assignment = await a_try(site)
    await site.put(replace(CHILD, dag_id="still"), paused=True)  # type: ignore[arg-type]

    assert (await ask(site, assignment, dag_id="nowhere"))["outcome"] == "unknown"
    assert (await ask(site, assignment, dag_id="still", fail_when_paused=True)) == {"outcome": "paused"}
    assert (await ask(site, assignment, dag_id="still"))["outcome"] == "triggered"
