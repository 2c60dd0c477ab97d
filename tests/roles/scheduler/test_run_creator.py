"""RunCreator: each due instant has its run, once, whoever makes it and whatever was missed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flowd.actions.pause_dag import set_paused
from flowd.domain.ids import DagId
from flowd.domain.timetable import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    OnceTimetable,
)
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

DAY = timedelta(days=1)
ETL = DagId("etl")


def a_daily_dag(days_ago: int, *, dag_id: str = "etl", **fields: object):  # type: ignore[no-untyped-def]
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    daily = CronDataIntervalTimetable("0 0 * * *", "UTC")
    return a_dag(a_task("t"), dag_id=dag_id, timetable=daily, start_date=today - days_ago * DAY, **fields)


async def create_all(site: LedgerSite) -> None:
    while await site.creator.step() is True:
        pass


async def run_ids(site: LedgerSite) -> list[str]:
    return [run_id for (run_id,) in await site.rows("SELECT run_id FROM dag_run ORDER BY logical_date")]


async def test_with_catchup_every_interval_since_the_start_date_gets_its_run(site: LedgerSite) -> None:
    spec = a_daily_dag(4, catchup=True)
    await site.put(spec)

    await create_all(site)

    assert await run_ids(site) == [f"scheduled__{(spec.start_date + day * DAY).isoformat()}" for day in range(4)]
    rows = await site.rows(
        "SELECT run_type, triggered_by, logical_date = data_interval_start, run_after = data_interval_end FROM dag_run"
    )
    assert {tuple(map(str, row[:2])) for row in rows} == {("scheduled", "timetable")}
    assert all(row[2] and row[3] for row in rows)


async def test_a_dag_without_a_start_date_may_run_at_once_for_the_tick_before(site: LedgerSite) -> None:
    yearly = CronTriggerTimetable("0 0 1 1 *", "UTC", run_immediately=True)
    await site.put(
        a_dag(a_task("t"), timetable=yearly),
        a_dag(a_task("t"), dag_id="waits", timetable=replace(yearly, run_immediately=False)),
    )

    await create_all(site)

    assert await run_ids(site) == [f"scheduled__{datetime.now(UTC).year}-01-01T00:00:00+00:00"]
    assert await site.rows("SELECT 1 FROM dag WHERE dag_id = 'waits' AND next_run_after IS NOT NULL")


async def test_without_catchup_only_the_latest_complete_interval_gets_a_run(site: LedgerSite) -> None:
    spec = a_daily_dag(4)
    await site.put(spec)

    await create_all(site)

    assert await run_ids(site) == [f"scheduled__{(spec.start_date + 3 * DAY).isoformat()}"]


async def test_catchup_goes_no_further_than_its_limit_until_runs_have_ended(open_site: OpenSite) -> None:
    site = open_site(catchup_limit=2)
    await site.put(a_daily_dag(5, catchup=True))

    await create_all(site)
    first = len(await run_ids(site))
    await site.work()
    await create_all(site)

    assert (first, len(await run_ids(site))) == (2, 4)


async def test_a_dag_that_may_have_no_more_runs_costs_no_other_its_timer(open_site: OpenSite) -> None:
    site = open_site(catchup_limit=1)
    await site.put(a_daily_dag(5, dag_id="full", catchup=True), a_daily_dag(0, dag_id="later"))
    await create_all(site)
    async with site.metastore.transaction() as tx:
        soon = "UPDATE dag SET next_run_after = :soon WHERE dag_id = 'later'"
        await tx.execute(soon, {"soon": int((await tx.now()).timestamp() + 60) * 10**6})

    pause = await site.creator.step()

    assert isinstance(pause, timedelta) and timedelta(0) < pause <= timedelta(minutes=1)


async def test_the_answer_says_how_long_nothing_will_be_due(site: LedgerSite) -> None:
    await site.put(a_daily_dag(0))

    pause = await site.creator.step()

    assert isinstance(pause, timedelta) and timedelta(0) < pause <= DAY
    assert await run_ids(site) == []


async def test_a_run_is_made_at_the_due_instant(site: LedgerSite) -> None:
    await site.put(a_daily_dag(0, catchup=True))
    await site.pass_time(DAY)

    await create_all(site)

    assert len(await run_ids(site)) == 1


async def test_a_new_run_is_told_to_the_advancer(site: LedgerSite) -> None:
    await site.put(a_daily_dag(1))

    await site.creator.step()

    async with asyncio.timeout(120):
        await site.advancer.loop.bell.wait(None)
    await site.advance()
    assert await site.rows("SELECT state FROM dag_run") == [("running",)]


@pytest.mark.parametrize("change", ["is_paused = :on", "is_active = :off"])
async def test_a_paused_or_vanished_dag_makes_no_runs(site: LedgerSite, change: str) -> None:
    await site.put(a_daily_dag(3, catchup=True))
    async with site.metastore.transaction() as tx:
        value = {"on": True} if ":on" in change else {"off": False}
        await tx.execute(f"UPDATE dag SET {change}", value)

    assert await site.creator.step() is False
    assert await run_ids(site) == []


async def test_what_was_missed_while_a_dag_was_paused_is_made_up_only_with_catchup(site: LedgerSite) -> None:
    await site.put(a_daily_dag(3, catchup=True), a_daily_dag(3, dag_id="lazy"), paused=True)
    for dag_id in ("etl", "lazy"):
        await set_paused(site.backends, DagId(dag_id), False)

    await create_all(site)

    rows = await site.rows("SELECT dag_id, COUNT(*) FROM dag_run GROUP BY dag_id")
    assert dict(rows) == {"etl": 3, "lazy": 1}


async def test_a_date_that_a_manual_run_has_taken_is_passed_over(site: LedgerSite) -> None:
    spec = a_daily_dag(3, catchup=True)
    await site.put(spec)
    await site.trigger(run_id="mine", logical_date=spec.start_date + DAY)

    await create_all(site)

    assert [run_id[:9] for run_id in await run_ids(site)] == ["scheduled", "mine", "scheduled"]


async def test_a_dag_that_runs_once_runs_once(site: LedgerSite) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    await site.put(a_dag(a_task("t"), timetable=OnceTimetable(), start_date=start))

    await create_all(site)
    await site.work()
    await create_all(site)

    assert await run_ids(site) == [f"scheduled__{start.isoformat()}"]


async def test_a_continuous_dag_has_one_run_at_a_time_and_the_next_when_that_has_ended(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("t"), timetable=ContinuousTimetable(), start_date=datetime(2026, 1, 1, tzinfo=UTC)))
    await create_all(site)
    await create_all(site)
    counts = [len(await run_ids(site))]

    await site.work()
    await create_all(site)

    assert [*counts, len(await run_ids(site))] == [1, 2]


async def test_creators_at_once_make_each_run_once(open_server_site: OpenSite) -> None:
    sites = [open_server_site(catchup_limit=99) for _ in range(4)]
    names = [f"dag{number}" for number in range(6)]
    await sites[0].put(*(a_daily_dag(5, dag_id=name, catchup=True) for name in names))

    await asyncio.gather(*(create_all(site) for site in sites))
    await create_all(sites[0])

    rows = await sites[0].rows("SELECT dag_id, COUNT(DISTINCT logical_date), COUNT(*) FROM dag_run GROUP BY dag_id")
    assert sorted(rows) == [(name, 5, 5) for name in names]


async def test_a_dag_whose_runs_cannot_be_made_keeps_no_other_from_its_own(site: LedgerSite) -> None:
    await site.put(*(a_daily_dag(1, dag_id=name) for name in ("bad", "good")))
    await site.change("UPDATE dag_version SET spec = '{}' WHERE dag_id = 'bad'")

    assert await site.creator.step() is True

    assert await site.rows("SELECT DISTINCT dag_id FROM dag_run") == [("good",)]


async def test_a_run_of_a_partition_has_its_key_and_no_logical_date(open_sqlite_site: OpenSite) -> None:
    site = open_sqlite_site()
    spec = replace(a_daily_dag(2, catchup=True), timetable=CronPartitionTimetable("0 0 * * *", "UTC", -1, "%Y-%m-%d"))
    await site.put(spec)

    await create_all(site)

    rows = await site.rows("SELECT run_id, partition_key, logical_date, data_interval_start FROM dag_run ORDER BY id")
    ticks = [spec.start_date + number * DAY for number in range(3)]
    keys = [f"{tick - DAY:%Y-%m-%d}" for tick in ticks]
    assert rows == [
        (f"scheduled__{tick.isoformat()}__{key}", key, None, None) for tick, key in zip(ticks, keys, strict=True)
    ]
