"""How many workers queues are worth, and that the triggers which the page gives to KEDA count the same."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import yaml

from flowd.actions.pause_dag import set_paused
from flowd.db.views.worker_demand import list_demands
from flowd.domain.asset_watch import WatcherSpec
from flowd.domain.assets import AssetSpec
from flowd.domain.ids import DagId
from flowd.queue.amqp.topology import Topology
from tests.db.test_explain import TASKS, analyse, offenders, pile_up_history
from tests.db.test_triggers import DEFERRAL, TRIGGER
from tests.docs.pages import ROOT, blocks
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

PAGE = ROOT / "docs" / "how-to" / "autoscale.md"
ORDERS = AssetSpec(name="orders", uri="s3://orders")
WATCHER = WatcherSpec(asset=ORDERS.name, name="w", trigger=TRIGGER)
WATCHING = a_dag(a_task("use"), dag_id="watching", assets=ORDERS, watchers=(WATCHER,))


def triggers_of_the_page() -> Mapping[str, Mapping[str, str]]:
    """What KEDA is to ask, by the type of the trigger."""
    (found,) = [yaml.safe_load(block.text) for block in blocks(PAGE) if block.info == "yaml"]
    return {one["type"]: one["metadata"] for one in found["spec"]["triggers"]}


SQL = triggers_of_the_page()["postgresql"]
SLOTS = int(SQL["targetQueryValue"])


@pytest.fixture
def served(open_server_site: OpenSite) -> LedgerSite:
    """One node on each server in turn: KEDA knows no SQLite."""
    return open_server_site()


def many(number: int, dag_id: str = "many", **fields: Any) -> Any:
    return a_dag(*(a_task(f"t{n}", **fields) for n in range(number)), dag_id=dag_id, max_active_tasks=2 * SLOTS)


async def wanted(site: LedgerSite) -> tuple[int, int]:
    """How many workers of the default queue KEDA makes of the page's query, and how many the advice wants."""
    async with site.metastore.reading() as tx:
        found = int((await tx.execute(SQL["query"])).scalar_one())
        demands = await list_demands(tx, slots_per_worker=SLOTS, usual_slots=1, patience=timedelta(hours=1))
    return math.ceil(found / SLOTS), {one.name: one.demand.wanted_workers for one in demands}["default"]


async def test_keda_and_the_advice_want_workers_for_what_is_queued_and_what_runs(served: LedgerSite) -> None:
    seen = [await wanted(served)]
    await served.begin(many(3, "elsewhere", queue="gpu"))
    seen.append(await wanted(served))
    await served.begin(many(SLOTS + 1))
    seen.append(await wanted(served))
    claimed = await served.claim()
    seen.append(await wanted(served))
    for one in list(claimed.values())[:SLOTS]:
        await served.succeed(one)
    seen.append(await wanted(served))
    await served.succeed(list(claimed.values())[SLOTS])
    seen.append(await wanted(served))

    assert seen == [(0, 0), (0, 0), (2, 2), (2, 2), (1, 1), (0, 0)]


async def test_what_only_a_pool_holds_back_wants_no_worker(served: LedgerSite) -> None:
    await served.set_pool("default_pool", 1)
    await served.begin(many(SLOTS + 1))

    assert await wanted(served) == (1, 1)


async def test_keda_and_the_advice_keep_a_worker_for_triggers(served: LedgerSite) -> None:
    await served.begin(many(1))
    (claimed,) = (await served.claim()).values()
    await served.defer(claimed, DEFERRAL)

    assert await wanted(served) == (1, 1)


async def test_keda_and_the_advice_keep_a_worker_for_assets_that_are_watched(served: LedgerSite) -> None:
    await served.put(WATCHING)
    seen = [await wanted(served)]
    await set_paused(served.backends, DagId("watching"), True)
    seen.append(await wanted(served))

    assert seen == [(1, 1), (0, 0)]


async def test_the_query_of_the_page_reads_no_history(served: LedgerSite) -> None:
    await served.put(a_dag(a_task("t")))
    await pile_up_history(served, runs=2_000 // TASKS)
    await analyse(served)

    async def ask() -> None:
        async with served.metastore.reading() as tx:
            await tx.execute(SQL["query"])

    assert await offenders(served, ask, tables=("task_instance",)) == []


def test_the_page_names_the_queue_of_the_broker() -> None:
    assert triggers_of_the_page()["rabbitmq"]["queueName"] == Topology().tasks("default")
