"""quarrelling: somebody else's session that takes the ledger's locks in the wrong order."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flowd.db.metastore import Metastore
from flowd.domain.errors import MetastoreUnavailable
from tests.faults.harness.ledger import Ledger
from tests.faults.harness.loop_thread import LoopThread

HOLDING_SECONDS = 0.3
"""Long enough for a heartbeat to come, take the first rows, and wait for one of the last."""

_LIVE = "SELECT id FROM task_instance WHERE state IN ('queued', 'running') ORDER BY id"
_LOCK = "SELECT id FROM task_instance WHERE id = :id FOR UPDATE"


@contextmanager
def quarrelling(wires: LoopThread, ledger: Ledger) -> Iterator[None]:
    """Lock live rows from the last to the first, again and again: whoever locks them in order meets a deadlock."""
    session = wires.begin(_quarrel(ledger.url))
    try:
        yield
    finally:
        session.cancel()


async def _quarrel(url: str) -> None:
    metastore = Metastore(url, pool_size=2)
    try:
        while True:
            with suppress(MetastoreUnavailable):  # it was the one to give way
                await _lock_backwards(metastore)
            await asyncio.sleep(0.05)
    finally:
        await metastore.close()


async def _lock_backwards(metastore: Metastore) -> None:
    async with metastore.transaction() as tx:
        keys = [key for (key,) in await tx.execute(_LIVE)]
        half = len(keys) // 2
        for key in reversed(keys[half:]):
            await tx.execute(_LOCK, {"id": key})
        await asyncio.sleep(HOLDING_SECONDS)
        for key in reversed(keys[:half]):
            await tx.execute(_LOCK, {"id": key})
