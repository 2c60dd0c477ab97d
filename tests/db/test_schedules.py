"""Schedules: which DAGs are due, and what is written when their runs were made."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flowd.db import schedules
from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.ids import DagId
from flowd.domain.timetable import CronDataIntervalTimetable
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
HOURLY = CronDataIntervalTimetable("0 * * * *", "UTC")


async def put(site: LedgerSite, dag_id: str, *, hours: int = 0, **fields: Any) -> None:
    """A DAG that is due `hours` and one after START."""
    start = START + hours * HOUR
    await site.put(a_dag(a_task("t"), dag_id=dag_id, timetable=HOURLY, start_date=start, catchup=True), **fields)


async def due(site: LedgerSite, now: datetime, limit: int = 9) -> list[str]:
    async with site.metastore.transaction() as tx:
        return [one.dag_id for one in await schedules.due(tx, now, limit=limit)]


async def test_what_is_due_comes_in_the_order_of_its_moments(site: LedgerSite) -> None:
    await put(site, "late", hours=1)
    await put(site, "early")
    await put(site, "paused", paused=True)
    await site.put(a_dag(a_task("t"), dag_id="manual"))

    assert await due(site, START + 2 * HOUR) == ["early", "late"]
    assert await due(site, START + 2 * HOUR, limit=1) == ["early"]
    assert await due(site, START + HOUR) == ["early"]
    assert await due(site, START) == []


async def test_the_next_moment_is_the_earliest_of_those_that_are_left(site: LedgerSite) -> None:
    await put(site, "early")
    await put(site, "late", hours=1)

    async with site.metastore.reading() as tx:
        moments = [await schedules.next_moment(tx, after=START + hours * HOUR) for hours in (0, 1, 2)]

    assert moments == [START + HOUR, START + 2 * HOUR, None]


async def test_an_advance_is_read_back_as_it_was_written(site: LedgerSite) -> None:
    await put(site, "etl")
    last = DataInterval(START, START + HOUR)
    planned = NextRun(DataInterval(START + HOUR, START + 2 * HOUR), START + 3 * HOUR)

    async with site.metastore.transaction() as tx:
        await schedules.advance(tx, DagId("etl"), last, planned)
        (found,) = await schedules.due(tx, START + 3 * HOUR, limit=1)
        await schedules.advance(tx, DagId("etl"), last, None)

    assert (found.last_interval, found.next_run) == (last, planned)
    assert await due(site, START + 9 * HOUR) == []


async def test_a_dag_that_another_creator_holds_is_left_to_it(open_server_site: OpenSite) -> None:
    site, other = open_server_site(), open_server_site()
    await put(site, "etl")

    async with other.metastore.transaction() as tx:
        held = await schedules.due(tx, START + HOUR, limit=1)
        meanwhile = await due(site, START + HOUR)

    assert (len(held), meanwhile) == (1, [])
    assert await due(site, START + HOUR) == ["etl"]
