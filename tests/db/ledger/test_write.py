"""The door: every change is guarded by version, recorded, and refused where the state machine refuses it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from flowd.db.ledger import read, write
from flowd.db.ledger.write import Measured
from flowd.domain.dag_run import RunEvent
from flowd.domain.errors import Conflict, IllegalTransition, StaleClaim
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_events import (
    CancelRequested,
    Deferred,
    Failed,
    Interrupted,
    Lost,
    Queued,
    ReportEvent,
    Rescheduled,
    Succeeded,
    TaskEvent,
)
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_spec import OnLost
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite, token_of
from tests.support.specs import TOKEN, a_dag, a_task

AGAIN_AT_ONCE = RetryPolicy(retries=1, delay=timedelta(0))


async def test_i5_the_history_of_a_retried_task_is_contiguous_and_says_from_where_to_where_and_why(
    site: LedgerSite,
) -> None:
    run = await site.begin(a_dag(a_task("load", retry=AGAIN_AT_ONCE)))

    await site.fail((await site.claim())["load"])
    await site.wait_ender.step()
    await site.settle()
    await site.succeed((await site.claim())["load"])

    history = await site.history(run, "load")
    assert [(one.source, one.target, one.cause, one.try_number) for one in history] == [
        ("none", "scheduled", "scheduled", 0),
        ("scheduled", "queued", "queued", 1),
        ("queued", "running", "claimed", 1),
        ("running", "up_for_retry", "failed", 1),
        ("up_for_retry", "scheduled", "scheduled", 1),
        ("scheduled", "queued", "queued", 2),
        ("queued", "running", "claimed", 2),
        ("running", "success", "succeeded", 2),
    ]
    assert [one.version for one in history] == list(range(1, 9))


async def test_i3_each_try_has_one_token_from_its_claim_to_its_end(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load", retry=AGAIN_AT_ONCE)))

    await site.work(failing={"load"})

    tokens = [(one.try_number, one.token) for one in await site.history(run, "load") if one.token]
    assert [number for number, _ in tokens] == [1, 1, 2, 2]
    assert len(set(tokens)) == len({token for _, token in tokens}) == 2


@pytest.mark.parametrize(
    ("report", "cause"),
    [
        (Failed(TOKEN, timedelta(0)), "failed"),
        (Interrupted(TOKEN), "interrupted"),
        (Lost(TOKEN, OnLost.RETRY), "lost"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_i8_a_second_try_has_a_recorded_cause(site: LedgerSite, report: ReportEvent, cause: str) -> None:
    run = await site.begin(a_dag(a_task("load", retry=AGAIN_AT_ONCE)))
    claimed = (await site.claim())["load"]
    await site.report(claimed.assignment.instance, replace(report, token=claimed.token))

    await site.work()

    assert (await site.causes(run, "load"))[3:6] == [cause, "scheduled", "queued"]
    assert await site.rows("SELECT cause FROM attempt WHERE try_number = 1") == [(cause,)]


@pytest.mark.parametrize("report", [Rescheduled(TOKEN, timedelta(0)), Deferred(TOKEN, timedelta(0))])
async def test_a_try_that_waits_goes_on_under_its_number_and_leaves_one_attempt(
    site: LedgerSite, report: ReportEvent
) -> None:
    run = await site.begin(a_dag(a_task("load")))
    first = (await site.claim())["load"]
    await site.report(first.assignment.instance, replace(report, token=first.token))

    await site.wait_ender.step()
    await site.settle()
    second = (await site.claim())["load"]
    await site.report(second.assignment.instance, Succeeded(second.token))

    assert (await site.instance(run, "load")).leg == 1
    assert (second.assignment.try_number, second.assignment.leg) == (1, 1)
    assert second.assignment.waits_since is not None
    assert second.token != first.token
    assert await site.rows("SELECT try_number, token, cause FROM attempt") == [(1, second.token, "succeeded")]


async def test_every_end_of_a_running_try_leaves_its_attempt_with_what_was_measured(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("load", retry=AGAIN_AT_ONCE)))
    first = (await site.claim())["load"]
    await site.report(
        first.assignment.instance,
        Failed(first.token, timedelta(0)),
        measured=Measured(exit_code=3, cpu_seconds=0.5, peak_rss_bytes=2**33, is_log_truncated=True, error="boom"),
    )
    await site.work()

    rows = await site.rows(
        "SELECT try_number, worker, cause, exit_code, cpu_seconds, peak_rss_bytes, is_log_truncated, error,"
        " queued_at <= started_at AND started_at <= ended_at FROM attempt ORDER BY try_number"
    )
    assert [(*row[:6], bool(row[6]), row[7], bool(row[8])) for row in rows] == [
        (1, "worker1", "failed", 3, 0.5, 2**33, True, "boom", True),
        (2, "worker1", "succeeded", None, None, None, False, None, True),
    ]


async def test_i4_a_refused_event_changes_nothing(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    claimed = (await site.claim())["load"]
    before, history = await site.instance(run, "load"), await site.history(run, "load")

    stale = await site.report(before.key, Succeeded(token_of(1)))
    illegal = await site.report(before.key, Queued())  # type: ignore[arg-type]

    assert isinstance(stale, StaleClaim)
    assert isinstance(illegal, IllegalTransition)
    assert (await site.instance(run, "load"), await site.history(run, "load")) == (before, history)
    assert await site.rows("SELECT * FROM attempt") == []
    assert isinstance(await site.succeed(claimed), TaskInstance)


async def test_a_row_that_changed_since_it_was_read_stops_the_whole_transaction(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b")))
    a, b = await site.instance(run, "a"), await site.instance(run, "b")
    await site.claim(1)

    with pytest.raises(Conflict, match=r"^rows of task_instance changed while they were locked$"):
        async with site.metastore.transaction() as tx:
            await write.apply(tx, [(a, CancelRequested()), (b, CancelRequested())], await tx.now())

    assert sorted((await site.states(run)).values()) == ["queued", "running"]


async def test_a_run_that_changed_since_it_was_read_stops_the_whole_transaction(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a")))
    old = replace(await site.run(run.key), version=0)

    with pytest.raises(Conflict, match=r"^rows of dag_run changed while they were locked$"):
        async with site.metastore.transaction() as tx:
            await write.apply_to_runs(tx, [(old, RunEvent.MARKED_FAILED)], await tx.now())

    assert await site.run_state(run) == "running"


async def test_two_events_for_one_instance_follow_each_other(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    claimed = (await site.claim())["load"]
    instance = await site.instance(run, "load")

    async with site.metastore.transaction() as tx:
        held = (await read.instances(tx, [instance.key]))[instance.key]
        events: list[TaskEvent] = [CancelRequested(), Succeeded(claimed.token), Succeeded(claimed.token)]
        answers = await write.apply(tx, [(held, event) for event in events], await tx.now())

    assert [type(answer) for answer in answers] == [TaskInstance, TaskInstance, IllegalTransition]
    assert (await site.causes(run, "load"))[-2:] == ["cancel requested", "succeeded"]
    assert await site.instance(run, "load") == answers[1]


async def test_a_run_keeps_a_history_of_its_own(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("load")))

    await site.work(failing={"load"})
    await site.advance()

    assert await site.rows("SELECT version, from_state, to_state, cause FROM run_transition ORDER BY version") == [
        (1, "queued", "running", "started"),
        (2, "running", "failed", "failed"),
    ]


@pytest.mark.parametrize("change", ["token = NULL", "lease_until = NULL", "state = 'success'"])
async def test_the_database_itself_refuses_a_running_row_without_token_or_lease(site: LedgerSite, change: str) -> None:
    await site.begin(a_dag(a_task("load")))
    await site.claim()

    with pytest.raises(IntegrityError):
        async with site.metastore.transaction() as tx:
            await tx.execute(f"UPDATE task_instance SET {change}")


async def test_writers_of_the_same_instance_take_turns_and_none_is_lost(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(3)]
    run = await sites[0].begin(a_dag(a_task("load")))
    claimed = (await sites[0].claim())["load"]

    answers = await asyncio.gather(*(site.succeed(claimed) for site in sites))

    assert sorted(isinstance(answer, TaskInstance) for answer in answers) == [False, False, True]
    assert (await sites[0].causes(run, "load")).count("succeeded") == 1
