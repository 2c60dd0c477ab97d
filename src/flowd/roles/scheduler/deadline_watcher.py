"""DeadlineWatcher: tells a DAG, in a child process, that a run has missed a deadline; once, by one scheduler."""

from datetime import timedelta

import structlog

from flowd.child.keeper_client import Keeper
from flowd.db.assignments import context_of
from flowd.db.graphs import Graphs
from flowd.db.ledger import deadlines
from flowd.db.ledger.deadlines import LateRun
from flowd.db.metastore import Metastore
from flowd.domain.assignment import run_to_json
from flowd.domain.dag_spec import DagSpec
from flowd.domain.deadline import due_between, next_due
from flowd.domain.errors import Unavailable
from flowd.roles.loop import Loop
from flowd.roles.scheduler.author_code import AuthorCode
from flowd.roles.scheduler.run_callbacks import TIMEOUT

log = structlog.get_logger(__name__)

ENTRY = "flowd.child.deadline_alerts"
AT_A_TIME = 8

LOG_NAME = "(deadlines)"
"""Stands for the task in the path of the log; no task can be called so."""


class DeadlineWatcher:
    """Sleeps until the next deadline of a live run, at most for its interval. A run that ends in time is told of never.

    A deadline is taken before its callback is called: where a scheduler dies in between, it is lost and not told twice.
    """

    def __init__(self, metastore: Metastore, graphs: Graphs, code: AuthorCode, interval: timedelta) -> None:
        self.loop = Loop("DeadlineWatcher", self.step, interval)
        self._metastore = metastore
        self._graphs = graphs
        self._code = code

    async def step(self) -> bool | timedelta:
        """Tell of what is late; answer how long nothing will be."""
        async with self._metastore.reading() as tx:
            moment, now = await deadlines.next_moment(tx), await tx.now()
        if moment is None:
            return False
        if moment > now:
            return moment - now
        async with self._metastore.reading() as tx:
            late = await deadlines.late_runs(tx, now, limit=AT_A_TIME)
            graphs = await self._graphs.get(tx, {one.dag_version for one in late})
        async with self._code.keeper() as keeper:
            for one in late:
                dag = graphs[one.dag_version].dag
                places = due_between(
                    dag.deadlines,
                    logical_date=one.logical_date,
                    queued_at=one.queued_at,
                    first=one.deadline_at,
                    last=now,
                )
                following = next_due(dag.deadlines, logical_date=one.logical_date, queued_at=one.queued_at, after=now)
                async with self._metastore.transaction() as tx:
                    is_taken = await deadlines.take(tx, one, following)
                if is_taken and places:
                    await self._tell(keeper, one, dag, places)
        return True

    async def _tell(self, keeper: Keeper, late: LateRun, dag: DagSpec, places: list[int]) -> None:
        log.warning("deadline missed", dag=late.dag_id, run=late.run_id, deadline=late.deadline_at.isoformat())
        try:
            ended = await self._code.call(
                keeper,
                ENTRY,
                {
                    "file": dag.file,
                    "dag_id": late.dag_id,
                    "run_id": late.run_id,
                    "state": late.state.value,
                    "places": places,
                    "deadline_at": late.deadline_at.isoformat(),
                    "run": run_to_json(context_of(late.row, dag)),
                },
                bundle=late.bundle,
                dag_id=late.dag_id,
                run_id=late.run_id,
                log=(late.run_id, LOG_NAME),
                at_most=TIMEOUT,
            )
        except Unavailable:
            raise
        except Exception:
            log.exception("deadline could not be told of", dag=late.dag_id, run=late.run_id)
            return
        if ended.exit_code != 0:
            log.warning("deadline callback failed", dag=late.dag_id, run=late.run_id, ended_by=ended.by.value)
