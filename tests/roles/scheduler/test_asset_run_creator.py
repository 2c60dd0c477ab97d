"""AssetRunCreator: an event of an asset starts each DAG that waits for it, once."""

import asyncio
from pathlib import Path

from flowd.actions.pause_dag import set_paused
from flowd.db import asset_events
from flowd.db.asset_events import FoundBy
from flowd.domain.assets import AliasSpec, AllOf, AssetCondition, AssetNews, AssetSpec
from flowd.domain.dag_spec import DagSpec
from flowd.domain.ids import DagId, RunId
from flowd.domain.task_events import Skipped
from tests.roles.worker.reports import report_on, reporting
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

X, Y = (AssetSpec(name=name, uri=f"s3://{name}") for name in "xy")
LATER = AliasSpec(name="later")


def producer(*outlets: AssetSpec | AliasSpec, dag_id: str = "producer") -> DagSpec:
    return a_dag(a_task("make", outlets=outlets), dag_id=dag_id)


def consumer(condition: AssetCondition | None, dag_id: str = "consumer") -> DagSpec:
    return a_dag(a_task("use"), dag_id=dag_id, assets=condition)


async def produce(site: LedgerSite, folder: Path, *news: AssetNews, dag_id: str = "producer") -> None:
    """Run the producer to its end, as a worker reports it, and let the scheduler see it."""
    run = await site.trigger(dag_id)
    site.advancer.ring([run.key])
    await site.settle()
    claimed = (await site.claim())["make"]
    async with reporting(site, folder) as reporter:
        assert await reporter.report(report_on(claimed, asset_news=news))
    await site.advance()


async def runs_of(site: LedgerSite, dag_id: str = "consumer") -> list[tuple[str, str, str]]:
    found = await site.rows(
        "SELECT run_id, run_type, triggered_by FROM dag_run WHERE dag_id = :dag_id ORDER BY id", dag_id=dag_id
    )
    return [(run_id, run_type, by) for run_id, run_type, by in found]


async def test_the_success_of_a_producer_starts_the_consumer_with_its_events(site: LedgerSite, tmp_path: Path) -> None:
    await site.put(producer(X), consumer(X))
    await produce(site, tmp_path, AssetNews(asset=X, extra={"rows": 3}))
    await site.asset_creator.step()

    ((run_id, run_type, by),) = await runs_of(site)
    assert (run_type, by) == ("asset_triggered", "asset")
    async with site.metastore.reading() as tx:
        (event,) = await asset_events.of_run(tx, DagId("consumer"), RunId(run_id))
        assert await asset_events.find(tx, FoundBy.NAME, "x") == [event]
    assert (event.uri, event.extra, event.source_dag_id, event.source_task_id) == (
        "s3://x",
        {"rows": 3},
        "producer",
        "make",
    )
    await site.asset_creator.step()
    assert len(await runs_of(site)) == 1


async def test_a_condition_waits_for_all_its_assets_and_takes_all_their_events(
    site: LedgerSite, tmp_path: Path
) -> None:
    await site.put(producer(X, Y), consumer(AllOf((X, Y))))
    for number in range(2):
        await produce(site, tmp_path / str(number), AssetNews(asset=X))
        await site.asset_creator.step()
    assert await runs_of(site) == []

    await produce(site, tmp_path / "y", AssetNews(asset=Y))
    await site.asset_creator.step()

    assert len(await runs_of(site)) == 1
    assert len(await site.rows("SELECT event FROM asset_event_run")) == 3
    assert await site.rows("SELECT event FROM asset_event_queue") == []


async def test_any_number_of_creators_make_one_run(site: LedgerSite, open_site: OpenSite, tmp_path: Path) -> None:
    other = open_site()
    await site.put(producer(X), consumer(X), consumer(X, "another"))
    await produce(site, tmp_path, AssetNews(asset=X))

    await asyncio.gather(*(one.asset_creator.step() for one in (site, other, site, other)))
    await site.asset_creator.step()

    assert [len(await runs_of(site, dag_id)) for dag_id in ("consumer", "another")] == [1, 1]


async def test_an_alias_starts_who_waits_for_it_and_later_the_asset_alone_does(
    site: LedgerSite, tmp_path: Path
) -> None:
    await site.put(producer(LATER), producer(X, dag_id="direct"), consumer(LATER))
    await produce(site, tmp_path / "1", AssetNews(asset=X, alias="later"))
    await site.asset_creator.step()
    assert len(await runs_of(site)) == 1

    await produce(site, tmp_path / "2", AssetNews(asset=X), dag_id="direct")
    await site.asset_creator.step()

    assert len(await runs_of(site)) == 2
    async with site.metastore.reading() as tx:
        assert len(await asset_events.find(tx, FoundBy.ALIAS, "later")) == 1


async def test_nothing_is_queued_for_a_paused_dag_nor_by_a_task_that_is_skipped(
    site: LedgerSite, tmp_path: Path
) -> None:
    await site.put(producer(X), consumer(X))
    await set_paused(site.backends, DagId("consumer"), is_paused=True)
    await produce(site, tmp_path / "1", AssetNews(asset=X))
    await set_paused(site.backends, DagId("consumer"), is_paused=False)
    run = await site.trigger("producer")
    site.advancer.ring([run.key])
    await site.settle()
    claimed = (await site.claim())["make"]
    async with reporting(site, tmp_path / "2") as reporter:
        await reporter.report(report_on(claimed, Skipped(claimed.token), asset_news=(AssetNews(asset=X),)))

    await site.asset_creator.step()

    assert await runs_of(site) == []
    assert len(await site.rows("SELECT id FROM asset_event")) == 1


async def test_a_dag_that_is_no_longer_scheduled_by_assets_forgets_their_events(
    site: LedgerSite, tmp_path: Path
) -> None:
    await site.put(producer(X), consumer(AllOf((X, Y))))
    await produce(site, tmp_path, AssetNews(asset=X))
    await site.put(consumer(None))

    await site.asset_creator.step()

    assert await runs_of(site) == []
    assert await site.rows("SELECT event FROM asset_event_queue") == []
    assert await site.rows("SELECT id FROM asset_use WHERE dag_id = 'consumer'") == []


async def test_events_are_found_by_uri_whatever_the_assets_are_called(site: LedgerSite, tmp_path: Path) -> None:
    other = AssetSpec(name="another name", uri=X.uri)
    await site.put(producer(X, other, Y))

    await produce(site, tmp_path, *(AssetNews(asset=one, extra={"of": one.name}) for one in (X, other, Y)))

    async with site.metastore.reading() as tx:
        found = await asset_events.find(tx, FoundBy.URI, X.uri)
        assert [one.extra["of"] for one in found] == ["x", "another name"]
        assert await asset_events.find(tx, FoundBy.NAME, X.uri) == []
