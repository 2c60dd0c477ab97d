"""TimetableAsker: asks the timetables that authors wrote themselves, in child processes: for their next runs, and what
the runs are about that somebody has triggered."""

import asyncio
from datetime import timedelta

from flowd.child.keeper_client import Keeper
from flowd.db import schedules
from flowd.db.graphs import Graphs
from flowd.db.ledger import intervals
from flowd.db.metastore import Metastore
from flowd.domain.dag_spec import DagSpec
from flowd.domain.data_interval import DataInterval
from flowd.domain.ids import DagId
from flowd.domain.timetable import CustomTimetable
from flowd.roles.loop import Bell, Loop
from flowd.roles.scheduler.author_code import AuthorCode
from flowd.roles.scheduler.run_advancer import RunAdvancer
from flowd.roles.scheduler.timetable_question import TimetableQuestion, ask, ask_triggered

PATIENCE_SECONDS = 300.0
"""How long a timetable that wants no run, or failed, is left alone before it is asked again about the same."""

_MOST = 1_000


class TimetableAsker:
    """Plans the next run of each DAG that has a timetable of its own and no run planned, and gives its triggered runs
    their data intervals.

    Any number may work at once: what is written is written only where nobody has done so since. `planned` is rung when
    there is a plan, and `advancer` when a run may start. A timetable that fails or hangs costs its DAG alone, and is
    logged; a triggered run is then about its own moment.
    """

    def __init__(
        self,
        metastore: Metastore,
        graphs: Graphs,
        code: AuthorCode,
        interval: timedelta,
        *,
        planned: Bell,
        advancer: RunAdvancer,
    ) -> None:
        self.loop = Loop("TimetableAsker", self.step, interval)
        self._metastore = metastore
        self._graphs = graphs
        self._code = code
        self._planned = planned
        self._advancer = advancer
        self._silent: dict[DagId, tuple[schedules.Unplanned, float]] = {}

    async def step(self) -> bool:
        """Ask every timetable that owes an answer; True where one has given it."""
        async with self._metastore.reading() as tx:
            unplanned = await schedules.unplanned(tx, limit=_MOST)
            triggered = await intervals.without_interval(tx, limit=_MOST)
            versions = {*(one.version for one in unplanned), *(one.dag_version for one in triggered)}
            graphs = await self._graphs.get(tx, versions)
        own = [one for one in unplanned if isinstance(graphs[one.version].dag.timetable, CustomTimetable)]
        owing = [one for one in own if not self._is_silent(one)]
        if not owing and not triggered:
            return False
        async with self._code.keeper() as keeper:
            for run in triggered:
                await self._give_interval(keeper, run, graphs[run.dag_version].dag)
            plans = [await self._plan(keeper, one, graphs[one.version].dag) for one in owing]
        if any(plans):
            self._planned.ring()
        return any(plans) or bool(triggered)

    async def _give_interval(self, keeper: Keeper, run: intervals.WithoutInterval, dag: DagSpec) -> None:
        interval = await ask_triggered(self._code, keeper, run.logical_date, dag, run.bundle)
        async with self._metastore.transaction() as tx:
            await intervals.give_interval(tx, run.key, interval or DataInterval.at(run.logical_date))
        self._advancer.ring([run.key])

    async def _plan(self, keeper: Keeper, unplanned: schedules.Unplanned, dag: DagSpec) -> bool:
        question = TimetableQuestion(
            last=unplanned.last_interval,
            earliest=dag.start_date or unplanned.first_seen_at,
            latest=dag.end_date,
            catchup=dag.catchup,
            most=1,
            purpose="next",
        )
        runs = await ask(self._code, keeper, question, dag, unplanned.bundle)
        if not runs:
            self._silent[unplanned.dag_id] = (unplanned, asyncio.get_running_loop().time())
            return False
        async with self._metastore.transaction() as tx:
            return await schedules.plan(tx, unplanned, runs[0])

    def _is_silent(self, unplanned: schedules.Unplanned) -> bool:
        asked, at = self._silent.get(unplanned.dag_id, (None, 0.0))
        return asked == unplanned and asyncio.get_running_loop().time() - at < PATIENCE_SECONDS
