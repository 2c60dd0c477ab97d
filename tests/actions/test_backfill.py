"""Backfills are asked for, held up and called off: once, whatever became of an answer."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from flowd.actions.backfill import cancel_backfill, create_backfill, dry_run_backfill, pause_backfill
from flowd.domain.backfill import BackfillRequest
from flowd.domain.errors import BackfillConflict, NotFound
from flowd.domain.ids import BackfillKey, DagId
from flowd.domain.timetable import CronTriggerTimetable
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.lost_answer import LostAnswer
from tests.support.paper_queue import PaperQueue
from tests.support.specs import a_dag, a_task

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
REQUEST = BackfillRequest(dag_id=DagId("etl"), from_date=FIRST, to_date=FIRST + timedelta(days=3), max_active_runs=2)
DAILY = a_dag(a_task("t"), timetable=CronTriggerTimetable("0 0 * * *", "UTC"), start_date=FIRST, end_date=FIRST)
NOBODY = BackfillKey(77)


@pytest.fixture
async def forgetful(metastore_url: str) -> AsyncIterator[LedgerSite]:
    """A site that can lose the answer to its next COMMIT."""
    metastore = LostAnswer(metastore_url)
    yield LedgerSite(metastore)
    await metastore.close()


def lose_the_next_answer(site: LedgerSite) -> None:
    assert isinstance(site.metastore, LostAnswer)
    site.metastore.is_next_lost = True


async def test_what_a_commit_did_whose_answer_was_lost_is_not_done_again_and_not_refused(
    forgetful: LedgerSite,
) -> None:
    await forgetful.put(DAILY)

    lose_the_next_answer(forgetful)
    made = await create_backfill(forgetful.backends, REQUEST)
    lose_the_next_answer(forgetful)
    paused = await pause_backfill(forgetful.backends, made.key, True)
    lose_the_next_answer(forgetful)
    cancelled = await cancel_backfill(forgetful.backends, made.key)

    assert await forgetful.rows("SELECT id FROM backfill") == [(made.key,)]
    assert paused.is_paused and cancelled.completed_at is not None


async def test_an_unknown_dag_or_backfill_is_told(site: LedgerSite) -> None:
    with pytest.raises(NotFound, match="`etl` was not found"):
        await create_backfill(site.backends, REQUEST)
    with pytest.raises(NotFound, match="`etl` was not found"):
        await dry_run_backfill(site.backends, REQUEST)
    with pytest.raises(NotFound, match="Could not find backfill with id 77"):
        await pause_backfill(site.backends, NOBODY, True)
    with pytest.raises(NotFound, match="Could not find backfill with id 77"):
        await cancel_backfill(site.backends, NOBODY)


async def test_a_backfill_that_has_ended_cannot_be_changed(site: LedgerSite) -> None:
    await site.put(DAILY)
    made = await create_backfill(site.backends, REQUEST)
    await site.backfill()
    await site.work()
    await site.backfill()

    with pytest.raises(BackfillConflict, match=r"^Backfill is already completed\.$"):
        await pause_backfill(site.backends, made.key, True)
    with pytest.raises(BackfillConflict, match=r"^Backfill is already completed\.$"):
        await cancel_backfill(site.backends, made.key)


async def test_resuming_rings_for_the_runs_that_come_first(open_site: OpenSite) -> None:
    broker = PaperQueue()
    site = open_site(broker=broker)
    await site.put(DAILY)
    made = await create_backfill(site.backends, REQUEST)
    await pause_backfill(site.backends, made.key, True)
    await site.backfill()
    broker.rung.clear()

    await pause_backfill(site.backends, made.key, False)

    first = await site.rows("SELECT id FROM dag_run WHERE backfill_ordinal <= 2 ORDER BY backfill_ordinal")
    assert broker.rung == [[key for (key,) in first]]
