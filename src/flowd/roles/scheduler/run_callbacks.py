"""RunCallbacks: tells a DAG, in a child process, how a run of it has ended; one scheduler at a time, at least once."""

from collections import Counter, deque
from datetime import timedelta

import structlog

from flowd.child.keeper_client import Keeper
from flowd.db.assignments import context_of
from flowd.db.graphs import Graphs
from flowd.db.ledger import callbacks
from flowd.db.metastore import Metastore
from flowd.domain.assignment import run_to_json
from flowd.domain.dag_spec import DagSpec
from flowd.domain.errors import Unavailable
from flowd.domain.ids import RunKey
from flowd.roles.backoff import patiently
from flowd.roles.loop import Bell, Loop
from flowd.roles.scheduler.author_code import AuthorCode

log = structlog.get_logger(__name__)

ENTRY = "flowd.child.callbacks"
TIMEOUT = timedelta(minutes=1)
AT_A_TIME = 8
MOST_TRIES = 3
"""How often a callback that cannot even be started (its bundle is bad, the disk is full) is tried by one scheduler."""

LOG_NAME = "(run callbacks)"
"""Stands for the task in the path of the log; no task can be called so."""


class RunCallbacks:
    """Takes due callbacks and calls each in a process of its own; one that hangs is killed after TIMEOUT."""

    def __init__(
        self, metastore: Metastore, graphs: Graphs, code: AuthorCode, interval: timedelta, *, due: Bell
    ) -> None:
        self.loop = Loop("RunCallbacks", self.step, interval, due)
        self._metastore = metastore
        self._graphs = graphs
        self._code = code
        self._failures: Counter[RunKey] = Counter()

    async def step(self) -> bool | timedelta:
        """Call what is due; answer how long nothing will be."""
        async with self._metastore.reading() as tx:
            moment, now = await callbacks.next_due(tx), await tx.now()
        if moment is None:
            return False
        if moment > now:
            return moment - now
        async with self._metastore.transaction() as tx:
            taken = await callbacks.take(tx, for_at_most=TIMEOUT * (AT_A_TIME + 1), limit=AT_A_TIME)
            graphs = await self._graphs.get(tx, {one.dag_version for one in taken})
        left = deque(taken)
        while left:
            async with self._code.keeper() as keeper:
                is_well = True
                while left and is_well:
                    due = left.popleft()
                    is_well = await self._try_to_call(keeper, due, graphs[due.dag_version].dag)
        return bool(taken)

    async def _try_to_call(self, keeper: Keeper, due: callbacks.DueCallback, dag: DagSpec) -> bool:
        """Call it; where that cannot be done, say so, leave it to a later try or give it up, and return False."""
        try:
            await self._call(keeper, due, dag)
        except Unavailable:
            raise
        except Exception:
            self._failures[due.run] += 1
            tries = self._failures[due.run]
            log.exception("run callback could not be called", dag=due.dag_id, run=due.run_id, tries=tries)
            if tries < MOST_TRIES:
                return False
            log.error("run callback given up", dag=due.dag_id, run=due.run_id, tries=tries)
            await self._done(due)
            return False
        return True

    async def _done(self, due: callbacks.DueCallback) -> None:
        del self._failures[due.run]

        async def attempt() -> None:
            async with self._metastore.transaction() as tx:
                await callbacks.done(tx, due)

        await patiently("RunCallbacks", attempt)

    async def _call(self, keeper: Keeper, due: callbacks.DueCallback, dag: DagSpec) -> None:
        ended = await self._code.call(
            keeper,
            ENTRY,
            {
                "file": dag.file,
                "dag_id": due.dag_id,
                "run_id": due.run_id,
                "state": due.state.value,
                "reason": "task_failure" if due.state.value == "failed" else "success",
                "run": run_to_json(context_of(due.row, dag)),
            },
            bundle=due.bundle,
            dag_id=due.dag_id,
            run_id=due.run_id,
            log=(due.run_id, LOG_NAME),
            at_most=TIMEOUT,
        )
        if ended.exit_code != 0:
            log.warning(
                "run callback failed", dag=due.dag_id, run=due.run_id, ended_by=ended.by.value, code=ended.exit_code
            )
        # A callback that fails is not called again: it may have told half the world already.
        await self._done(due)
