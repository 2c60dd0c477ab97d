"""Runs by partitions of assets: one for each key, made when all that it waits for has arrived."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowd.actions.asset_changes import create_asset_event
from flowd.actions.trigger_run import trigger_run
from flowd.db import asset_events, assets
from flowd.domain.assets import AllOf, AssetCondition, AssetNews, AssetSpec
from flowd.domain.dag_spec import DagSpec
from flowd.domain.ids import DagId, RunId
from flowd.domain.partition.mappers import Allowed, FanOut, Fixed, Identity, Mapper, Rollup, StartOf
from flowd.domain.partition.plan import AssetMapper, Partitioning
from flowd.domain.partition.windows import PeriodWindow, SegmentWindow, Unit
from flowd.domain.states import TriggeredBy
from flowd.domain.timetable import CronPartitionTimetable
from tests.roles.worker.reports import report_on, reporting
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

X, Y = (AssetSpec(name=name, uri=f"s3://{name}") for name in "xy")
HOUR = StartOf(unit=Unit.HOUR)
WEEKLY = FanOut(upstream=StartOf(unit=Unit.WEEK), window=PeriodWindow(Unit.WEEK))


def consumer(condition: AssetCondition = X, mapper: Mapper = HOUR, dag_id: str = "consumer", **fields: Any) -> DagSpec:
    plan = Partitioning(default=AssetMapper(mapper=mapper))
    return a_dag(a_task("use"), dag_id=dag_id, assets=condition, partitioning=plan, **fields)


async def tell(site: LedgerSite, asset: AssetSpec, *keys: str | None) -> None:
    async with site.metastore.reading() as tx:
        id_ = await assets.id_of(tx, asset.name)
    for key in keys:
        await create_asset_event(site.backends, id_, {}, key)


async def keys_of(site: LedgerSite, dag_id: str = "consumer") -> list[str]:
    rows = await site.rows(
        "SELECT partition_key FROM dag_run WHERE dag_id = :dag_id ORDER BY partition_key", dag_id=dag_id
    )
    return [key for (key,) in rows]


async def waiting(site: LedgerSite) -> list[tuple[str, int]]:
    return await site.rows(
        "SELECT partition_key, COUNT(*) FROM asset_arrival GROUP BY partition_key ORDER BY partition_key"
    )


async def test_there_is_one_run_for_each_key_when_all_assets_have_it(site: LedgerSite) -> None:
    await site.put(consumer(AllOf((X, Y))))
    await tell(site, X, "2024-03-13T10:00:00", "2024-03-13T11:00:00", "2024-03-13T10:30:00")
    await site.asset_creator.step()
    assert await keys_of(site) == []

    await tell(site, Y, "2024-03-13T10:15:00", "2024-03-13T12:15:00")
    await site.asset_creator.step()
    await site.asset_creator.step()

    assert await keys_of(site) == ["2024-03-13T10"]
    assert await waiting(site) == [("2024-03-13T11", 1), ("2024-03-13T12", 1)]
    ((run_id, date),) = await site.rows("SELECT run_id, partition_date FROM dag_run")
    assert date == datetime(2024, 3, 13, 10, tzinfo=UTC).timestamp() * 1e6
    async with site.metastore.reading() as tx:
        about = await asset_events.of_run(tx, DagId("consumer"), RunId(run_id))
    assert [one.partition_key for one in about] == ["2024-03-13T10:00:00", "2024-03-13T10:30:00", "2024-03-13T10:15:00"]


async def test_a_key_that_comes_again_has_a_run_again(site: LedgerSite) -> None:
    await site.put(consumer(mapper=Identity()))
    for _ in range(2):
        await tell(site, X, "us")
        await site.asset_creator.step()

    assert await keys_of(site) == ["us", "us"]


async def test_one_event_may_be_for_many_runs_and_many_events_for_one(site: LedgerSite) -> None:
    regions = Rollup(upstream=Fixed("all"), window=SegmentWindow(("us", "eu")))
    await site.put(consumer(mapper=WEEKLY, dag_id="days"), consumer(Y, regions, "rollup"))

    await tell(site, X, "2024-03-13T00:00:00")
    await tell(site, Y, "us")
    await site.asset_creator.step()
    assert (await keys_of(site, "days"), await keys_of(site, "rollup")) == (
        [f"2024-03-{day}" for day in range(11, 18)],
        [],
    )

    await tell(site, Y, "us", "eu")
    await site.asset_creator.step()
    assert await keys_of(site, "rollup") == ["all"]
    assert (
        len(
            await site.rows(
                "SELECT event FROM asset_event_run r JOIN dag_run d ON d.id = r.run WHERE dag_id = 'rollup'"
            )
        )
        == 3
    )


async def test_events_about_partitions_are_for_dags_of_partitions_and_no_others_are(site: LedgerSite) -> None:
    await site.put(consumer(mapper=Allowed(("us",))), a_dag(a_task("use"), dag_id="whole", assets=X))

    await tell(site, X, "us", "mars", None)
    await site.asset_creator.step()

    assert await keys_of(site) == ["us"]
    assert await keys_of(site, "whole") == [None]
    assert await site.rows("SELECT event FROM asset_event_queue") == []


async def test_what_arrived_for_another_plan_is_forgotten(site: LedgerSite) -> None:
    def rollup(*keys: str) -> DagSpec:
        return consumer(mapper=Rollup(upstream=Fixed("all"), window=SegmentWindow(keys)))

    await site.put(rollup("us", "eu", "apac"))
    await tell(site, X, "us")
    await site.asset_creator.step()
    await site.put(rollup("us", "eu"))

    await tell(site, X, "eu")
    await site.asset_creator.step()
    assert (await keys_of(site), await waiting(site)) == ([], [("all", 1)])

    await tell(site, X, "us")
    await site.asset_creator.step()
    assert (await keys_of(site), await waiting(site)) == (["all"], [])


async def test_any_number_of_creators_make_each_run_once(site: LedgerSite, open_site: OpenSite) -> None:
    other = open_site()
    await site.put(consumer(mapper=WEEKLY))
    await tell(site, X, "2024-03-13T00:00:00")

    await asyncio.gather(*(one.asset_creator.step() for one in (site, other, site, other)))
    await site.asset_creator.step()

    assert await keys_of(site) == [f"2024-03-{day}" for day in range(11, 18)]


async def test_a_task_makes_events_of_its_runs_partition_or_of_those_it_names(
    open_sqlite_site: OpenSite, tmp_path: Path
) -> None:
    site = open_sqlite_site()
    producer = a_dag(
        a_task("make", outlets=(X,)), dag_id="producer", timetable=CronPartitionTimetable("0 * * * *", "UTC")
    )
    await site.put(producer, consumer(mapper=Identity()))

    async def produce(folder: str, news: Sequence[AssetNews]) -> None:
        run = await trigger_run(
            site.backends,
            dag_id=DagId("producer"),
            triggered_by=TriggeredBy.REST_API,
            partition_key="2024-03-13T10:00:00",
        )
        site.advancer.ring([run.key])
        await site.settle()
        claimed = (await site.claim())["make"]
        assert claimed.assignment.run.partition_key == "2024-03-13T10:00:00"
        assert claimed.assignment.run.partition_date == datetime(2024, 3, 13, 10, tzinfo=UTC)
        async with reporting(site, tmp_path / folder) as reporter:
            assert await reporter.report(report_on(claimed, asset_news=tuple(news)))
        await site.asset_creator.step()

    await produce("own", [AssetNews(asset=X)])
    await produce("named", [AssetNews(asset=X, partition_key=key) for key in ("eu", "us")])

    rows = await site.rows("SELECT partition_key, partition_date FROM dag_run WHERE dag_id = 'consumer' ORDER BY id")
    assert rows == [
        ("2024-03-13T10:00:00", datetime(2024, 3, 13, 10, tzinfo=UTC).timestamp() * 1e6), ("eu", None), ("us", None)
    ]  # fmt: skip
