"""StoreSweeper: deletes the stored values of XComs that are gone, in a child process; once an hour."""

import random
from datetime import timedelta

import structlog

from flowd.child.launch import Call, Launch
from flowd.db import stored_values
from flowd.db.metastore import Metastore
from flowd.domain.ids import DagId, RunId
from flowd.domain.stored_value import PATH_VARIABLE
from flowd.roles.look_ups import LookUps
from flowd.roles.loop import Loop
from flowd.roles.worker.trigger_process import TriggerBench

log = structlog.get_logger(__name__)

ENTRY = "flowd.child.sweep_store"
LOG_NAME = "(xcoms)"
"""Stands for the DAG in the path of the log; no DAG can be called so."""

EVERY = timedelta(hours=1)
AT_A_TIME = 500
TIMEOUT_SECONDS = 600.0
LOG_LIMIT_BYTES = 1024 * 1024


class StoreSweeper:
    """Any number of workers may sweep: what another has deleted is gone. Without a store there is nothing to do.

    A value is deleted before it goes off the record: a worker that dies in between leaves it to the next.
    """

    def __init__(self, metastore: Metastore, bench: TriggerBench) -> None:
        self.loop = Loop("StoreSweeper", self.step, EVERY)
        self._metastore = metastore
        self._bench = bench

    async def step(self) -> bool | timedelta:
        """Delete some; True where there may be more, and something could be deleted."""
        if not self._bench.environ.get(PATH_VARIABLE):
            return False
        async with self._metastore.reading() as tx:
            found = await stored_values.unreferred(tx, limit=AT_A_TIME)
        # Several workers that were started together need not look together.
        pause = EVERY * random.uniform(0.9, 1.0)
        if not found:
            return pause
        gone = await self._delete({one.name: one.url for one in found})
        if gone:
            async with self._metastore.transaction() as tx:
                await stored_values.forget(tx, gone)
            log.info("stored xcoms deleted", count=len(gone))
        if len(gone) < len(found):
            log.warning("stored xcoms could not be deleted", count=len(found) - len(gone), log=f"{LOG_NAME}/sweep.log")
            return pause
        return len(found) == AT_A_TIME or pause

    async def _delete(self, values: dict[str, str]) -> list[str]:
        launch = Launch(
            program=Call(entry=ENTRY, payload={"values": values, "bundle_root": None}),
            env=self._bench.environ,
            log=str(self._bench.logs / LOG_NAME / "sweep.log"),
            timeout_seconds=TIMEOUT_SECONDS,
            log_limit_bytes=LOG_LIMIT_BYTES,
            grace_seconds=1.0,
        )
        keeper = await self._bench.keeper()
        tree = await keeper.start(launch, LookUps(self._bench.library, DagId(""), RunId("")).answer)
        try:
            ended = await tree.wait()
        finally:
            tree.kill("the sweep is over", immediately=True)
        gone = (ended.result or {}).get("gone", [])
        return [name for name in values if name in set(gone)]
