"""Redeliverer: whatever became of a message, its try is rung again, as the same try, and never failed for waiting."""

from datetime import timedelta

import pytest

from flowd.actions.clear_tasks import clear_run
from flowd.db.graphs import Graphs
from flowd.db.ledger import dispatch
from flowd.domain.dag_run import DagRun
from flowd.roles.scheduler.redeliverer import Redeliverer
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.paper_queue import PaperQueue
from tests.support.specs import a_dag, a_task

SECOND = timedelta(seconds=1)


@pytest.fixture
def broker() -> PaperQueue:
    return PaperQueue()


@pytest.fixture
def site(open_site: OpenSite, broker: PaperQueue) -> LedgerSite:
    return open_site(broker=broker)


async def dispatched(site: LedgerSite) -> DagRun:
    return await site.begin(a_dag(a_task("load")))


async def test_an_unconfirmed_message_is_rung_again_after_two_seconds(site: LedgerSite, broker: PaperQueue) -> None:
    broker.is_away = True
    await dispatched(site)
    await site.redeliverer.step()
    before = list(broker.messages)

    await site.pass_time(2 * SECOND)
    await site.redeliverer.step()
    await site.redeliverer.step()

    assert (before, broker.messages) == ([("load", 1)], [("load", 1)] * 2)


async def test_while_the_broker_is_away_each_ring_waits_for_the_next(site: LedgerSite, broker: PaperQueue) -> None:
    broker.is_away = True
    run = await dispatched(site)
    for _ in range(4):
        await site.pass_time(2 * SECOND)
        assert await site.redeliverer.step() is False

    assert len(broker.messages) == 5
    assert await site.causes(run, "load") == ["scheduled", "queued"]


async def test_an_outage_of_the_broker_does_not_make_the_next_ring_later(site: LedgerSite, broker: PaperQueue) -> None:
    broker.is_away = True
    await dispatched(site)
    for _ in range(8):
        await site.pass_time(2 * SECOND)
        await site.redeliverer.step()
    broker.is_away = False
    await site.pass_time(2 * SECOND)
    await site.redeliverer.step()
    confirmed = len(broker.messages)

    counts: list[int] = []
    for seconds in (58, 2):
        await site.pass_time(seconds * SECOND)
        await site.redeliverer.step()
        counts.append(len(broker.messages) - confirmed)

    assert counts == [0, 1]


async def test_a_confirmed_message_is_left_alone_for_a_minute_and_then_for_twice_as_long(
    site: LedgerSite, broker: PaperQueue
) -> None:
    await dispatched(site)
    counts: list[int] = []
    for seconds in (58, 2, 118, 2, 238, 2):
        await site.pass_time(seconds * SECOND)
        await site.redeliverer.step()
        counts.append(len(broker.messages))

    assert counts == [1, 2, 2, 3, 3, 4]
    assert set(broker.messages) == {("load", 1)}


async def test_a_message_that_nobody_takes_for_a_day_is_rung_on(site: LedgerSite, broker: PaperQueue) -> None:
    await dispatched(site)
    for _ in range(12):
        await site.pass_time(3 * 3600 * SECOND)
        await site.redeliverer.step()

    await site.pass_time((64 * 60 - 2) * SECOND)
    await site.redeliverer.step()
    before = len(broker.messages)
    await site.pass_time(2 * SECOND)
    await site.redeliverer.step()

    assert (before, len(broker.messages)) == (13, 14)


async def test_a_scheduler_that_died_between_commit_and_publish_loses_nothing(
    open_site: OpenSite, broker: PaperQueue
) -> None:
    class Crash(Exception):
        pass

    class CrashingQueue(PaperQueue):
        async def publish(self, assignments: object) -> list[bool]:
            raise Crash

    dying, other = open_site(broker=CrashingQueue()), open_site(broker=broker)
    with pytest.raises(Crash):
        await dispatched(dying)

    await other.pass_time(2 * SECOND)
    await other.redeliverer.step()

    assert broker.messages == [("load", 1)]


async def test_a_dag_that_cannot_be_read_keeps_no_other_from_being_rung(site: LedgerSite, broker: PaperQueue) -> None:
    broker.is_away = True
    await site.put(a_dag(a_task("load"), dag_id="broken"), a_dag(a_task("load"), dag_id="sound"))
    for dag_id in ("broken", "sound"):
        await site.trigger(dag_id)
    await site.settle()
    await site.change("UPDATE dag_version SET spec = '{}' WHERE dag_id = 'broken'")
    before = len(broker.messages)
    restarted = Redeliverer(site.metastore, Graphs(), broker, SECOND)

    await site.pass_time(2 * SECOND)
    await restarted.step()

    assert (before, len(broker.messages)) == (2, 3)


async def test_a_claimed_try_is_not_rung_again(site: LedgerSite, broker: PaperQueue) -> None:
    await dispatched(site)
    await site.claim()

    await site.pass_time(3600 * SECOND)
    await site.redeliverer.step()

    assert broker.messages == [("load", 1)]


async def test_a_new_try_is_rung_with_new_patience(site: LedgerSite, broker: PaperQueue) -> None:
    await dispatched(site)
    for seconds in (60, 120, 240):
        await site.pass_time(seconds * SECOND)
        await site.redeliverer.step()
    await site.worker().give_up(list((await site.claim()).values()))
    await site.wait_ender.step()
    await site.settle()
    rings = len(broker.messages)

    await site.pass_time(61 * SECOND)
    await site.redeliverer.step()

    assert (rings, broker.messages[-2:]) == (5, [("load", 2), ("load", 2)])


async def test_the_confirmation_of_an_older_try_says_nothing_of_a_newer_one(open_site: OpenSite) -> None:
    site = open_site(broker=PaperQueue())
    run = await site.begin(a_dag(a_task("load")))
    older = await site.instance(run, "load")
    await clear_run(site.backends, run.dag_id, run.run_id)
    await site.settle()
    await site.change("UPDATE task_instance SET dispatched_at = NULL")

    async with site.metastore.transaction() as tx:
        await dispatch.mark_dispatched(tx, [older])
    before = await site.rows("SELECT try_number FROM task_instance WHERE dispatched_at IS NOT NULL")
    async with site.metastore.transaction() as tx:
        await dispatch.mark_dispatched(tx, [await site.instance(run, "load")])

    assert before == []
    assert await site.rows("SELECT try_number FROM task_instance WHERE dispatched_at IS NOT NULL") == [(2,)]
