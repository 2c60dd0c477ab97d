"""BackfillPlanner: works out the dates of backfills, some at a time, and gives them their places."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from flowd.db import backfills
from flowd.db.graphs import Graphs
from flowd.db.metastore import Metastore
from flowd.domain.backfill import Backfill, next_dates, wanted
from flowd.domain.dag_spec import DagSpec
from flowd.domain.data_interval import NextRun
from flowd.domain.ids import BackfillKey
from flowd.domain.timetable import CustomTimetable
from flowd.roles.bulkhead import one_by_one_in_trouble
from flowd.roles.loop import Bell, Loop
from flowd.roles.scheduler.author_code import AuthorCode
from flowd.roles.scheduler.timetable_question import TimetableQuestion, ask

log = structlog.get_logger(__name__)

DATES_AT_ONCE = 100
"""How many dates one transaction gives their places: working them out takes some 20 ms of this process."""

PATIENCE_SECONDS = 60.0
"""How long a timetable of an author's own that failed is left alone before it is asked again."""


class BackfillPlanner:
    """Plans the backfills whose dates are not all known. `planned` is rung when those of one are.

    Any number may plan at once: dates are written only behind those that they were asked for. A timetable of an
    author's own is asked in a child process; one that fails or hangs costs its backfill alone, and is logged.
    """

    def __init__(
        self, metastore: Metastore, graphs: Graphs, code: AuthorCode, interval: timedelta, *, planned: Bell
    ) -> None:
        self.loop = Loop("BackfillPlanner", self.step, interval)
        self._metastore = metastore
        self._graphs = graphs
        self._code = code
        self._planned = planned
        self._failed_at: dict[BackfillKey, float] = {}

    async def step(self) -> bool:
        """Plan some dates of each backfill that has more; True where one has."""
        async with self._metastore.glance() as tx:
            found = await backfills.unfinished(tx)
        pending = [one for one in found if one.completed_at is None and not one.is_planned and not self._is_silent(one)]
        self._failed_at = {key: at for key, at in self._failed_at.items() if any(one.key == key for one in found)}
        if not pending:
            return False
        return any(
            await one_by_one_in_trouble(
                "BackfillPlanner", pending, self._plan_all, names=lambda one: {"backfill": one.key}
            )
        )

    async def _plan_all(self, pending: Sequence[Backfill]) -> bool:
        return any([await self._plan(one) for one in pending])

    async def _plan(self, backfill: Backfill) -> bool:
        async with self._metastore.reading() as tx:
            dag = (await self._graphs.get(tx, [backfill.dag_version]))[backfill.dag_version].dag
        found = await self._dates(backfill, dag)
        if found is None:
            self._failed_at[backfill.key] = asyncio.get_running_loop().time()
            return False
        is_all = len(found) < DATES_AT_ONCE
        async with self._metastore.transaction() as tx:
            held = await backfills.lock_free(tx, backfill.key)
            if held is None or held.completed_at is not None or held.is_planned or held.planned != backfill.planned:
                return False
            await backfills.plan(tx, held, found, is_all=is_all, now=await tx.now())
        if is_all:
            log.info("backfill planned", backfill=backfill.key, dag=dag.dag_id, dates=backfill.planned + len(found))
            self._planned.ring()
        return True

    async def _dates(self, backfill: Backfill, dag: DagSpec) -> Sequence[NextRun] | None:
        asked, now = backfill.request, backfill.created_at
        if not isinstance(dag.timetable, CustomTimetable):
            return next_dates(dag.timetable, asked, backfill.last_planned, now, limit=DATES_AT_ONCE)
        question = TimetableQuestion(
            last=backfill.last_planned,
            earliest=asked.from_date,
            latest=asked.to_date,
            catchup=True,
            most=DATES_AT_ONCE,
            purpose=f"backfill-{backfill.key}",
        )
        async with self._code.keeper() as keeper:
            runs = await ask(self._code, keeper, question, dag, backfill.bundle)
        return None if runs is None else wanted(runs, asked, now)

    def _is_silent(self, backfill: Backfill) -> bool:
        failed_at = self._failed_at.get(backfill.key)
        return failed_at is not None and asyncio.get_running_loop().time() - failed_at < PATIENCE_SECONDS
