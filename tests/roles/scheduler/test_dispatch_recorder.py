"""DispatchRecorder: confirmations are noted together, and only where somebody may still ask for them."""

import asyncio
from datetime import timedelta

import pytest

from flowd.actions.clear_tasks import clear_run
from flowd.db.ledger import dispatch
from flowd.domain.errors import MetastoreUnavailable
from flowd.roles.scheduler.dispatch_recorder import DispatchRecorder
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import POLL, LedgerSite
from tests.support.paper_queue import PaperQueue
from tests.support.specs import a_dag, a_task


@pytest.fixture
def site(open_site: OpenSite) -> LedgerSite:
    broker = PaperQueue()
    site = open_site(broker=broker)
    broker.is_away = True  # so that nothing is noted but by the tests
    return site


async def noted(site: LedgerSite) -> list[str]:
    return [name for (name,) in await site.rows("SELECT task_id FROM task_instance WHERE dispatched_at IS NOT NULL")]


async def test_what_is_still_queued_is_noted_and_what_was_claimed_is_left_alone(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("claimed"), a_task("queued", queue="gpu")))
    site.recorder.note([await site.instance(run, "claimed"), await site.instance(run, "queued")])
    await site.claim()

    assert await site.recorder.step() is False

    assert await noted(site) == ["queued"]


async def test_a_confirmation_waits_for_others_and_no_longer_than_the_hold(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    patient = DispatchRecorder(site.metastore, POLL, hold=timedelta(hours=1))

    patient.note([await site.instance(run, "load")])
    left = await patient.step()

    assert isinstance(left, timedelta)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert await noted(site) == []


async def test_the_first_confirmation_wakes_it_and_those_behind_it_do_not(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b")))
    patient = DispatchRecorder(site.metastore, POLL, hold=timedelta(hours=1))

    patient.note([await site.instance(run, "a")])
    await patient.loop.bell.wait(None)
    patient.note([await site.instance(run, "b")])

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await patient.loop.bell.wait(None)


async def test_the_confirmation_of_a_try_that_was_cleared_says_nothing_of_the_next(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    site.recorder.note([await site.instance(run, "load")])
    await clear_run(site.backends, run.dag_id, run.run_id)
    await site.advance()
    await site.dispatcher.step()

    await site.recorder.step()

    assert (await noted(site), (await site.instance(run, "load")).try_number) == ([], 2)


async def test_what_could_not_be_noted_is_noted_by_the_next_step(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await site.begin(a_dag(a_task("load")))
    site.recorder.note([await site.instance(run, "load")])
    with monkeypatch.context() as broken:
        broken.setattr(dispatch, "mark_dispatched", _refuse)
        with pytest.raises(MetastoreUnavailable):
            await site.recorder.step()

    await site.recorder.step()

    assert await noted(site) == ["load"]


async def _refuse(*_: object) -> None:
    raise MetastoreUnavailable("the metastore is away")
