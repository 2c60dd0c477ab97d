"""Triggers of asset watchers: who runs them, for how long, and what their events set off."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from flowd.actions.pause_dag import set_paused
from flowd.db import asset_watches
from flowd.db.triggers import HeldTrigger
from flowd.domain.asset_watch import WatcherSpec, watch_of
from flowd.domain.assets import AssetSpec
from flowd.domain.dag_spec import DagSpec
from flowd.domain.deferral import TriggerSpec
from flowd.domain.errors import Conflict
from flowd.domain.ids import DagId
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import BUNDLE, LEASE, LedgerSite
from tests.support.specs import a_dag, a_task

X, Y = (AssetSpec(name=name, uri=f"s3://{name}") for name in "xy")
TRIGGER = TriggerSpec(classpath="lib.Trigger", kwargs={"path": "/in"}, file="etl.py", is_in_bundle=False)
WATCH = watch_of(TRIGGER)
HELD = HeldTrigger(token=WATCH, trigger=TRIGGER, bundle=None)


def watching(asset: AssetSpec = X, trigger: TriggerSpec = TRIGGER, dag_id: str = "consumer") -> DagSpec:
    watcher = WatcherSpec(asset=asset.name, name="w", trigger=trigger)
    return a_dag(a_task("use"), dag_id=dag_id, assets=asset, watchers=(watcher,))


async def hold(site: LedgerSite, worker: str, *, limit: int = 10) -> list[HeldTrigger]:
    async with site.metastore.transaction() as tx:
        return await asset_watches.hold(tx, worker, LEASE, limit=limit)


async def record(site: LedgerSite, event_id: str, payload: object = None) -> int:
    async with site.metastore.transaction() as tx:
        return await asset_watches.record(tx, WATCH, event_id, payload)


async def test_a_trigger_is_run_by_one_worker_until_its_lease_is_over_or_given_back(site: LedgerSite) -> None:
    await site.put(watching())

    assert await hold(site, "a") == [HELD]
    assert await hold(site, "b") == []
    await site.pass_time(LEASE / 2)
    assert await hold(site, "a") == [HELD], "which prolongs it"
    await site.pass_time(LEASE * 3 / 4)
    assert await hold(site, "b") == []
    await site.pass_time(LEASE / 2)
    assert await hold(site, "b") == [HELD], "the first has fallen silent"
    assert await hold(site, "a") == []
    async with site.metastore.transaction() as tx:
        await asset_watches.give_back(tx, "b")
    assert await hold(site, "a") == [HELD]


async def test_any_number_of_workers_share_the_triggers(open_site: OpenSite) -> None:
    sites = [open_site() for _ in range(3)]
    triggers = [replace(TRIGGER, kwargs={"path": f"/{number}"}) for number in range(6)]
    await sites[0].put(*(watching(trigger=one, dag_id=f"c{number}") for number, one in enumerate(triggers)))

    held = await asyncio.gather(*(hold(site, str(number), limit=2) for number, site in enumerate(sites)))
    held += [await hold(site, str(number), limit=2) for number, site in enumerate(sites)]

    assert sorted({one.token for part in held for one in part}) == sorted(map(watch_of, triggers))
    assert await sites[0].rows("SELECT COUNT(*), COUNT(triggerer) FROM asset_watch") == [(6, 6)]


async def test_a_trigger_of_several_dags_runs_once_for_all_assets_it_watches(site: LedgerSite) -> None:
    await site.put(watching(X), watching(Y, dag_id="another"))

    assert await hold(site, "a") == [HELD]
    assert await record(site, "1", {"path": "/in"}) == 2
    await site.asset_creator.step()

    assert await site.rows("SELECT dag_id, run_type FROM dag_run ORDER BY dag_id") == [
        ("another", "asset_triggered"), ("consumer", "asset_triggered")
    ]  # fmt: skip
    ((extra,), _) = await site.rows("SELECT extra FROM asset_event")
    assert json.loads(extra) == {"from_trigger": True, "payload": {"path": "/in"}}


async def test_an_event_that_is_told_again_is_written_once(site: LedgerSite) -> None:
    await site.put(watching())
    await record(site, "1")

    with pytest.raises(Conflict, match="event 1 of a watcher is written already"):
        await record(site, "1")
    await record(site, "2")

    assert len(await site.rows("SELECT id FROM asset_event")) == 2


async def test_a_trigger_is_run_while_a_dag_that_is_not_paused_wants_it(site: LedgerSite) -> None:
    await site.put(watching(), watching(Y, dag_id="another"))
    await hold(site, "a")

    await set_paused(site.backends, DagId("consumer"), is_paused=True)
    assert await hold(site, "a") == [HELD], "there is another"
    await set_paused(site.backends, DagId("another"), is_paused=True)
    assert await hold(site, "a") == []
    assert await site.rows("SELECT watch FROM asset_watch") == [], "it is not held"
    await set_paused(site.backends, DagId("consumer"), is_paused=False)
    assert await hold(site, "b") == [HELD]
    await site.put(a_dag(a_task("use"), dag_id="consumer", assets=X))

    assert await hold(site, "b") == []
    await site.put(a_dag(a_task("use"), dag_id="another"))
    assert await record(site, "late") == 0


async def test_what_is_in_the_dag_folder_runs_from_its_dags_bundle(site: LedgerSite) -> None:
    trigger = replace(TRIGGER, is_in_bundle=True)
    await site.put(watching(trigger=trigger))

    assert await hold(site, "a") == [HeldTrigger(token=watch_of(trigger), trigger=trigger, bundle=BUNDLE)]


async def test_a_dead_workers_lease_on_what_nobody_wants_goes_when_it_is_over(site: LedgerSite) -> None:
    await site.put(watching(), watching(Y, replace(TRIGGER, kwargs={}), "another"))
    await hold(site, "dead")
    await site.put(a_dag(a_task("use"), dag_id="another"))
    await hold(site, "a")
    assert len(await site.rows("SELECT watch FROM asset_watch")) == 2

    await site.pass_time(LEASE + timedelta(seconds=1))
    await hold(site, "a")

    assert await site.rows("SELECT watch, triggerer FROM asset_watch") == [(WATCH, "a")]
