"""Attempt: what comes between a claim and its process is no failure of the task."""

import asyncio
import hashlib
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from flowd.child.keeper_client import Keeper
from flowd.child.launch import Ended, EndedBy
from flowd.db import bundles
from flowd.db.metastore import Metastore
from flowd.domain.ids import BundleHash
from flowd.domain.task_spec import TaskSpec
from flowd.domain.work import BashWork, PythonWork
from flowd.queue.base import Claimed
from flowd.roles.bundle_cache import BundleCache
from flowd.roles.worker.attempt import KEEPER_KILLED, Attempt
from tests.child.keeper.launching import KEEPER_ENV, eventually, no_answer
from tests.roles.worker.benches import a_bench
from tests.roles.worker.reports import reporting
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.services import PostgresServer
from tests.support.specs import NOW, a_dag, a_task
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    async with Keeper.open(env=KEEPER_ENV, on_request=no_answer) as opened:
        yield opened


@pytest.fixture
def site(open_sqlite_site: OpenSite) -> LedgerSite:
    return open_sqlite_site()


def python_task() -> TaskSpec:
    return a_task("load", operator="PythonOperator", work=PythonWork(file="etl.py", callable="load"))


async def claimed_one(site: LedgerSite, task: TaskSpec) -> Claimed:
    await site.begin(a_dag(task))
    return (await site.claim())["load"]


async def store(metastore: Metastore, content: bytes) -> BundleHash:
    hash_ = hashlib.sha256(content).hexdigest()
    async with metastore.transaction() as tx:
        return await bundles.store(tx, {"etl.py": hash_}, {hash_: bundles.pack(content)}, size_bytes=0, now=NOW)


def with_bundle(claimed: Claimed, bundle: BundleHash) -> Claimed:
    return replace(claimed, assignment=replace(claimed.assignment, bundle=bundle))


async def outcome(site: LedgerSite, attempt: Attempt, keeper: Keeper) -> tuple[Ended | None, str]:
    """How it ended, and the state that its report has led to."""
    ended = await attempt.run(keeper)
    if ended is not None:
        await attempt.report(ended)
    ((state,),) = await site.rows("SELECT state FROM task_instance")
    return ended, state


@pytest.mark.parametrize(("order", "state"), [("interrupt", "up_for_retry"), ("cancel", "failed"), ("lose", "running")])
async def test_what_is_not_wanted_any_more_is_never_started(
    site: LedgerSite, keeper: Keeper, tmp_path: Path, order: str, state: str
) -> None:
    claimed = await claimed_one(site, a_task("load", work=BashWork(script=f"touch {tmp_path}/ran")))
    async with reporting(site, tmp_path) as reporter:
        attempt = Attempt(claimed, a_bench(site.backends, reporter, tmp_path))
        getattr(attempt, order)()

        assert (await outcome(site, attempt, keeper))[1] == state

    assert attempt.is_dead
    assert not list((tmp_path / "logs").rglob("*.log*")) and not (tmp_path / "ran").exists()


async def test_a_lease_that_had_ended_before_the_start_uses_no_retry(
    site: LedgerSite, keeper: Keeper, tmp_path: Path
) -> None:
    claimed = replace(await claimed_one(site, a_task("load")), fence_at_ns=time.monotonic_ns())
    async with reporting(site, tmp_path) as reporter:
        attempt = Attempt(claimed, a_bench(site.backends, reporter, tmp_path))

        assert (await outcome(site, attempt, keeper))[1] == "up_for_retry"


async def test_the_log_of_a_try_whose_keeper_was_killed_says_that_its_end_is_missing(
    site: LedgerSite, keeper: Keeper, tmp_path: Path
) -> None:
    script = "echo begun; while :; do echo more; done"
    claimed = await claimed_one(site, a_task("load", work=BashWork(script=script)))
    async with reporting(site, tmp_path) as reporter:
        attempt = Attempt(claimed, a_bench(site.backends, reporter, tmp_path))
        running = asyncio.ensure_future(outcome(site, attempt, keeper))
        await eventually(lambda: any("begun" in log.read_text() for log in (tmp_path / "logs").rglob("*.log")))

        os.kill(keeper.pid, signal.SIGKILL)
        ended, state = await running

    (path,) = (tmp_path / "logs").rglob("*.log")
    lines = path.read_text().splitlines()
    assert (ended, state) == (None, "running")
    assert lines[0].endswith("Z o begun") and lines[-1].endswith(f"Z - {KEEPER_KILLED}")


async def test_a_bundle_that_does_not_exist_is_a_failure(site: LedgerSite, keeper: Keeper, tmp_path: Path) -> None:
    claimed = await claimed_one(site, python_task())
    async with reporting(site, tmp_path) as reporter:
        ended, state = await outcome(site, Attempt(claimed, a_bench(site.backends, reporter, tmp_path)), keeper)

    assert ended is not None and ended.by is EndedBy.NOT_STARTED and "bundle" in str(ended.error)
    assert state == "failed"


async def test_a_disk_that_cannot_be_written_uses_no_retry(
    site: LedgerSite, keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowd.roles.worker.attempt.MOST_DISK_ERRORS", 2)
    (tmp_path / "file").touch()
    bundle = await store(site.metastore, b"")
    claimed = with_bundle(await claimed_one(site, python_task()), bundle)
    async with reporting(site, tmp_path) as reporter:
        bench = a_bench(site.backends, reporter, tmp_path, BundleCache(site.metastore, tmp_path / "file" / "bundles"))

        ended, state = await outcome(site, Attempt(claimed, bench), keeper)

    assert ended is not None and "could not write its bundle" in str(ended.error)
    assert state == "up_for_retry"


@pytest.mark.parametrize("is_drained", [True, False])
async def test_an_outage_between_claim_and_bundle_is_waited_out_and_uses_no_retry(
    open_postgres_site: OpenSite, postgres_server: PostgresServer, keeper: Keeper, tmp_path: Path, is_drained: bool
) -> None:
    site = open_postgres_site()
    claimed = await claimed_one(site, python_task())
    parts = urlsplit(postgres_server.url)
    async with TcpProxy(str(parts.hostname), parts.port or 5432) as wire:
        url = urlsplit(site.metastore.url.render_as_string(hide_password=False))
        who = url.netloc.rpartition("@")[0]
        away = Metastore(urlunsplit(url._replace(netloc=f"{who}@127.0.0.1:{wire.port}")), pool_size=1)
        await wire.refuse()
        async with reporting(site, tmp_path) as reporter:
            bench = a_bench(site.backends, reporter, tmp_path, BundleCache(away, tmp_path / "bundles"))
            attempt = Attempt(claimed, bench)
            running = asyncio.ensure_future(outcome(site, attempt, keeper))
            done, _ = await asyncio.wait({running}, timeout=0.5)
            assert not done
            if is_drained:
                attempt.interrupt()
            else:
                await wire.heal()
            ended, state = await running
        await away.close()

    assert state == ("up_for_retry" if is_drained else "failed")
    assert ended is not None and ("before it was started" if is_drained else "bundle") in str(ended.error)


async def test_a_bundle_stays_for_as_long_as_its_task_runs(site: LedgerSite, keeper: Keeper, tmp_path: Path) -> None:
    go, here = tmp_path / "go", tmp_path / "here"
    waiting = (
        f"import os, time\nopen({str(here)!r}, 'w').close()\nwhile not os.path.exists({str(go)!r}):\n time.sleep(0.01)"
    )
    bundle, other = await store(site.metastore, waiting.encode()), await store(site.metastore, b"# another")
    claimed = with_bundle(await claimed_one(site, python_task()), bundle)
    cache = BundleCache(site.metastore, tmp_path / "bundles", most_bytes=1)
    async with reporting(site, tmp_path) as reporter:
        attempt = Attempt(claimed, a_bench(site.backends, reporter, tmp_path, cache))
        running = asyncio.ensure_future(attempt.run(keeper))
        await eventually(here.exists)

        await cache.path(other)

        assert (tmp_path / "bundles" / bundle / "etl.py").exists()
        go.touch()
        await running
