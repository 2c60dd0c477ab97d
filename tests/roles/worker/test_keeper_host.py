"""KeeperHost: there is always a keeper, or soon one."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from flowd.roles.worker.keeper_host import KeeperHost
from tests.child.keeper.launching import KEEPER_ENV


@asynccontextmanager
async def hosting(environ: dict[str, str]) -> AsyncIterator[KeeperHost]:
    host = KeeperHost(environ)
    task = asyncio.ensure_future(host.run())
    try:
        yield host
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_keeper_that_is_killed_is_replaced() -> None:
    async with hosting(KEEPER_ENV) as host:
        first = await host.current()
        os.kill(first.pid, signal.SIGKILL)
        await first.closed
        await asyncio.sleep(0)

        assert (await host.current()).pid != first.pid


async def test_a_keeper_that_cannot_be_opened_is_tried_again() -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONHOME": "/nowhere"}
    failed = asyncio.Event()

    def hear(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        failed.set()
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[hear], cache_logger_on_first_use=False)
    try:
        async with hosting(environ) as host:
            await failed.wait()
            environ.clear()
            environ.update(KEEPER_ENV)

            assert (await host.current()).pid > 0
    finally:
        structlog.configure(**before)
