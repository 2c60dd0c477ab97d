"""StoreSweeper: values of XComs that are gone are deleted from the store by a real process; nothing else ever is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from flowd.child.keeper_client import Keeper
from flowd.db import stored_values, xcoms
from flowd.domain.dag_run import DagRun
from flowd.domain.stored_value import PATH_VARIABLE, StoredValue
from flowd.roles.worker.store_sweeper import StoreSweeper
from flowd.roles.worker.trigger_process import TriggerBench
from flowd.sdk.xcom_store import XComStore
from tests.child.keeper.launching import KEEPER_ENV, no_answer
from tests.roles.worker.benches import a_bench
from tests.roles.worker.reports import reporting
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task


@pytest.fixture
def site(open_sqlite_site: OpenSite) -> LedgerSite:
    return open_sqlite_site()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "store"
    made.mkdir()
    return made


@asynccontextmanager
async def sweeping(site: LedgerSite, tmp_path: Path, store: str) -> AsyncIterator[StoreSweeper]:
    async with reporting(site, tmp_path) as reporter, Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper:
        bench = a_bench(site.backends, reporter, tmp_path)

        async def current() -> Keeper:
            return keeper

        environ = {**bench.environ, PATH_VARIABLE: store}
        triggers = TriggerBench(
            library=bench.library, bundles=bench.bundles, keeper=current, environ=environ, logs=bench.logs
        )
        yield StoreSweeper(site.metastore, triggers)


def kept(folder: Path, run_id: str, value: str) -> tuple[Any, Path]:
    """Store a value, and return the reference and its file."""
    document = XComStore(folder=f"file://{folder}", threshold_bytes=0).kept(value, "etl", run_id, "a", -1)
    stored = StoredValue.from_json(document)
    assert stored is not None
    return document, Path(stored.url.removeprefix("file://"))


async def leave(site: LedgerSite, run: DagRun, *documents: Any) -> None:
    """Leave the values as XComs, one in the place of the other, long ago."""
    key = (await site.instance(run, "a")).key
    for document in documents:
        async with site.metastore.transaction() as tx:
            await xcoms.push(tx, [(key, "return_value", document)], await tx.now())
    await site.change("UPDATE stored_value SET at = 0")


async def on_record(site: LedgerSite) -> int:
    return len(await site.rows("SELECT name FROM stored_value"))


async def test_what_is_referred_to_no_more_is_deleted_with_its_empty_folders(
    site: LedgerSite, tmp_path: Path, folder: Path
) -> None:
    run = await site.begin(a_dag(a_task("a")))
    (old, old_file), (new, new_file) = kept(folder, "one", "old"), kept(folder, "two", "new")
    await leave(site, run, old, new)

    async with sweeping(site, tmp_path, f"file://{folder}") as sweeper:
        await sweeper.step()

    assert (old_file.exists(), new_file.exists(), await on_record(site)) == (False, True, 1)
    assert [one.name for one in (folder / "etl").iterdir()] == ["two"], "the folder of the other run is gone"


async def test_what_is_not_in_the_store_is_never_deleted(site: LedgerSite, tmp_path: Path, folder: Path) -> None:
    run = await site.begin(a_dag(a_task("a")))
    precious = tmp_path / "precious.json"
    precious.write_text("{}")
    crafted = [
        StoredValue(url=url, bytes=2, sha256="", compression="", length=None).to_json()
        for url in (f"file://{precious}", f"file://{folder}/../precious.json")
    ]
    await leave(site, run, crafted[0], {"small": 1})
    await leave(site, run, crafted[1], {"small": 1})

    async with sweeping(site, tmp_path, f"file://{folder}") as sweeper:
        await sweeper.step()

    assert (precious.exists(), await on_record(site)) == (True, 0)


async def test_where_the_store_is_away_or_there_is_none_all_stays_on_record(
    site: LedgerSite, tmp_path: Path, folder: Path
) -> None:
    run = await site.begin(a_dag(a_task("a")))
    document, file = kept(folder / "mounted", "one", "value")
    await leave(site, run, document, {"small": 1})
    (folder / "mounted").rename(folder / "away")

    async with sweeping(site, tmp_path, f"file://{folder}/mounted") as sweeper:
        await sweeper.step()
    async with sweeping(site, tmp_path / "second", "") as sweeper:
        assert await sweeper.step() is False

    assert await on_record(site) == 1
    (folder / "away").rename(folder / "mounted")
    assert file.exists()


async def test_what_another_worker_has_deleted_is_gone(site: LedgerSite, tmp_path: Path, folder: Path) -> None:
    run = await site.begin(a_dag(a_task("a")))
    document, file = kept(folder, "one", "value")
    await leave(site, run, document, {"small": 1})
    file.unlink()

    async with sweeping(site, tmp_path, f"file://{folder}") as sweeper:
        await sweeper.step()

    async with site.metastore.reading() as tx:
        assert await stored_values.unreferred(tx, limit=9) == []
    assert await on_record(site) == 0
