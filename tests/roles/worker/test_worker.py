"""Worker: its tries from the claim to the ledger, with a keeper of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from flowd.actions.clear_tasks import clear_run
from flowd.domain.work import BashWork
from flowd.queue.message import SigningKeys
from flowd.roles.worker.reporter import Reporter
from flowd.roles.worker.spool import SPOOL, Spool
from flowd.roles.worker.worker import Worker, WorkerPlan
from flowd.roles.worker.worker_home import worker_home
from tests.child.keeper.launching import KEEPER_ENV, eventually
from tests.roles.worker.benches import a_bench
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

HOUR = timedelta(hours=1)


@asynccontextmanager
async def working(site: LedgerSite, folder: Path) -> AsyncIterator[Worker]:
    """A worker whose heartbeats are so far apart that it hears nothing of what users do meanwhile."""
    plan = WorkerPlan(
        queues=["default"],
        concurrency=2,
        heartbeat=HOUR,
        lease=3 * HOUR,
        drain_timeout=timedelta(seconds=20),
        message_limit_bytes=10**6,
        keeper_environ=KEEPER_ENV,
    )
    with worker_home(folder / "homes", "w") as home:
        reporter = Reporter(site.metastore, site.queue, Spool(home.folder / SPOOL))
        worker = Worker(
            plan,
            site.metastore,
            site.queue,
            SigningKeys.from_secrets(["a secret"]),
            site.worker(home.name, lease=3 * HOUR),
            site.metastore,
            a_bench(site.backends, reporter, folder),
            home,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            try:
                yield worker
            finally:
                worker.drain()


async def test_a_try_that_was_cleared_as_it_ended_is_released_at_once(site: LedgerSite, tmp_path: Path) -> None:
    go, here = tmp_path / "go", tmp_path / "here"
    script = f"touch {here}; until [ -e {go} ]; do sleep 0.02; done"
    run = await site.begin(a_dag(a_task("load", work=BashWork(script=script))))
    async with working(site, tmp_path) as worker:
        await site.queue.publish([])
        await eventually(here.exists)
        await clear_run(site.backends, run.dag_id, run.run_id)
        assert await site.states(run) == {"load": "restarting"}

        go.touch()
        await eventually(lambda: worker.slots.taken == 0)

    assert await site.states(run) == {"load": "none"}


async def test_a_drained_worker_lets_its_tasks_end(site: LedgerSite, tmp_path: Path) -> None:
    run = await site.begin(a_dag(a_task("load", work=BashWork(script=f"touch {tmp_path}/here; sleep 0.3"))))
    async with working(site, tmp_path):
        await eventually((tmp_path / "here").exists)

    assert await site.states(run) == {"load": "success"}


async def test_a_resting_worker_takes_nothing_lets_its_tasks_end_and_goes_on_when_it_is_told(
    site: LedgerSite, tmp_path: Path
) -> None:
    go, here, there = tmp_path / "go", tmp_path / "here", tmp_path / "there"
    first = await site.begin(
        a_dag(a_task("load", work=BashWork(script=f"touch {here}; until [ -e {go} ]; do sleep 0.02; done")))
    )
    async with working(site, tmp_path) as worker:
        await site.queue.publish([])
        await eventually(here.exists)
        worker.rest(True)
        second = await site.begin(a_dag(a_task("load", work=BashWork(script=f"touch {there}")), dag_id="second"))
        await site.queue.publish([])
        go.touch()
        while True:
            if await site.states(first) == {"load": "success"}:
                break
            await asyncio.sleep(0.02)

        assert await site.states(second) == {"load": "queued"}
        assert (worker.is_taking_work, worker.is_ready) == (False, True)

        worker.rest(False)
        await eventually(there.exists)

    assert await site.states(second) == {"load": "success"}


async def test_a_worker_that_rests_can_be_told_to_end(site: LedgerSite, tmp_path: Path) -> None:
    async with working(site, tmp_path) as worker:
        await eventually(lambda: worker.is_ready)
        worker.rest(True)
        worker.rest(True)

        assert worker.is_ready and not worker.is_taking_work

    assert not worker.is_ready
