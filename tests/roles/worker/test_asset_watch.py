"""AssetWatch: triggers of watchers in real processes, whose events become events of assets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flowd.child.keeper_client import Keeper
from flowd.db.triggers import HeldTrigger
from flowd.domain.asset_watch import WatcherSpec
from flowd.domain.assets import AssetSpec
from flowd.domain.deferral import TriggerSpec
from flowd.domain.ids import BundleHash
from flowd.roles.loop import Bell
from flowd.roles.worker.asset_watch import AssetWatch
from flowd.roles.worker.trigger_process import TriggerBench, TriggerProcess
from flowd.roles.worker.trigger_processes import MakeProcess, TriggerProcesses
from tests.child.keeper.launching import KEEPER_ENV, eventually, no_answer
from tests.roles.worker.benches import a_bench
from tests.roles.worker.reports import reporting
from tests.roles.worker.test_trigger_process import Fires, a_trigger
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LEASE, POLL, LedgerSite, token_of
from tests.support.lost_answer import LostAnswer
from tests.support.specs import a_dag, a_task

X = AssetSpec(name="x", uri="s3://x")


@pytest.fixture
def site(open_sqlite_site: OpenSite) -> LedgerSite:
    return open_sqlite_site()


@asynccontextmanager
async def a_maker(site: LedgerSite, folder: Path) -> AsyncIterator[MakeProcess]:
    """Makes processes for triggers of a library, whatever the bundle."""
    async with (
        reporting(site, folder) as reporter,
        Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper,
    ):
        bench = a_bench(site.backends, reporter, folder)

        async def current() -> Keeper:
            return keeper

        triggers = TriggerBench(
            library=bench.library, bundles=bench.bundles, keeper=current, environ=bench.environ, logs=bench.logs
        )
        yield lambda _, fired: TriggerProcess(triggers, None, fired, watches=True)


@asynccontextmanager
async def a_watch(site: LedgerSite, folder: Path) -> AsyncIterator[AssetWatch]:
    async with a_maker(site, folder) as make, asyncio.TaskGroup() as group:
        watch = AssetWatch(site.metastore, make, name="a", interval=POLL, lease=LEASE)
        running = group.create_task(watch.run())
        yield watch
        running.cancel()


@asynccontextmanager
async def some_processes(site: LedgerSite, folder: Path, fires: Fires) -> AsyncIterator[TriggerProcesses]:
    """Processes that end with the block."""
    made: asyncio.Future[TriggerProcesses] = asyncio.get_running_loop().create_future()

    async def run(make: MakeProcess) -> None:
        async with asyncio.TaskGroup() as group:
            made.set_result(TriggerProcesses(make, fires, group, ended=Bell()))
            await asyncio.Event().wait()

    async with a_maker(site, folder) as make, asyncio.TaskGroup() as group:
        running = group.create_task(run(make))
        yield await made
        running.cancel()


async def put(site: LedgerSite, *triggers: TriggerSpec) -> None:
    watchers = tuple(WatcherSpec(asset="x", name=str(number), trigger=one) for number, one in enumerate(triggers))
    await site.put(a_dag(a_task("use"), dag_id="consumer", assets=X, watchers=watchers))


async def events(site: LedgerSite) -> list[str]:
    return [extra for (extra,) in await site.rows("SELECT extra FROM asset_event ORDER BY id")]


def fired(payload: object) -> str:
    return f'{{"from_trigger": true, "payload": {payload}}}'


async def until(site: LedgerSite, count: int) -> None:
    while True:
        if len(await events(site)) >= count:
            return
        await asyncio.sleep(0.02)


async def eventually_held(site: LedgerSite) -> None:
    while True:
        if await site.rows("SELECT watch FROM asset_watch"):
            return
        await asyncio.sleep(0.01)


async def test_every_event_is_written_before_the_trigger_goes_on_and_it_is_run_again_when_it_ends(
    site: LedgerSite, tmp_path: Path
) -> None:
    went_on = tmp_path / "went on"
    await put(site, a_trigger("Counting", str(went_on), most=2))

    async with a_watch(site, tmp_path):
        await until(site, 4)

    assert await events(site) == [fired(number) for number in (0, 1, 0, 1)]
    assert went_on.read_text().startswith("0\n1\n0\n")


async def test_who_rests_hands_over_and_takes_nothing_until_told_to_go_on(site: LedgerSite, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    await put(site, a_trigger("Counting", str(tmp_path / "went on"), most=2, gate=str(gate)))

    async def is_held() -> bool:
        return bool(await site.rows("SELECT 1 FROM asset_watch WHERE triggerer IS NOT NULL"))

    async with a_watch(site, tmp_path) as watch:
        await eventually_held(site)
        watch.rest(True)
        while True:
            if not await is_held():
                break
            await asyncio.sleep(0.01)
        gate.touch()
        await watch.step()
        assert (await is_held(), await events(site)) == (False, [])

        watch.rest(False)
        await until(site, 2)

    assert (await events(site))[:2] == [fired(0), fired(1)]


async def test_an_event_whose_answer_was_lost_is_one_event(site: LedgerSite, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    await put(site, a_trigger("Counting", str(tmp_path / "went on"), most=2, gate=str(gate)))
    (url,) = await site.rows("PRAGMA database_list")
    losing = LostAnswer(f"sqlite:///{url[2]}")

    async with a_watch(LedgerSite(losing), tmp_path):
        await eventually_held(site)
        losing.is_next_lost = True
        gate.touch()
        await until(site, 2)
        assert not losing.is_next_lost
    await losing.close()

    assert (await events(site))[:2] == [fired(0), fired(1)]


async def test_a_process_that_dies_again_and_again_is_not_given_up(site: LedgerSite, tmp_path: Path) -> None:
    fires = Fires()
    died = tmp_path / "died"
    async with some_processes(site, tmp_path, fires) as processes:
        processes.want([HeldTrigger(token=token_of(1), trigger=a_trigger("Dying", str(died), deaths=4), bundle=None)])
        await eventually(lambda: bool(fires.news))

    assert fires.news[token_of(1)].event == "at last"


async def test_a_trigger_stops_in_its_old_bundle_before_it_starts_in_the_new_one(
    site: LedgerSite, tmp_path: Path
) -> None:
    fires = Fires()
    old, new = (
        HeldTrigger(token=token_of(1), trigger=a_trigger("Alone", str(tmp_path / "held")), bundle=BundleHash(name * 64))
        for name in "ab"
    )
    async with some_processes(site, tmp_path, fires) as processes:
        processes.want([old])
        await eventually(lambda: bool(fires.news))
        first = fires.news.pop(token_of(1)).event
        while not fires.news:
            processes.want([new])
            await asyncio.sleep(0.01)

    second = fires.news[token_of(1)]
    assert second.failure is None and second.event not in (None, first)
