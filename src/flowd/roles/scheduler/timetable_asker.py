"""TimetableAsker: asks the timetables that authors wrote themselves for their next run, in child processes."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import structlog

from flowd.child.keeper_client import Keeper
from flowd.child.launch import Ended
from flowd.db import schedules
from flowd.db.graphs import Graphs
from flowd.db.metastore import Metastore
from flowd.domain.dag_spec import DagSpec
from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.errors import NotFound
from flowd.domain.ids import DagId, RunId
from flowd.domain.timetable import CustomTimetable
from flowd.roles.bundle_cache import BadBundle
from flowd.roles.loop import Bell, Loop
from flowd.roles.scheduler.author_code import AuthorCode

log = structlog.get_logger(__name__)

ENTRY = "flowd.child.ask_timetable"
TIMEOUT = timedelta(seconds=30)
PATIENCE_SECONDS = 300.0
"""How long a timetable that wants no run, or failed, is left alone before it is asked again about the same."""

LOG_NAME = "(timetable)"
"""Stands for the run in the path of the log; no run can be called so."""

_MOST = 1_000


class TimetableAsker:
    """Plans the next run of each DAG that has a timetable of its own and no run planned.

    Any number may work at once: the plan is written only where nobody has planned since. `planned` is rung when there
    is a plan. A timetable that fails or hangs costs its DAG alone, and is logged.
    """

    def __init__(
        self, metastore: Metastore, graphs: Graphs, code: AuthorCode, interval: timedelta, *, planned: Bell
    ) -> None:
        self.loop = Loop("TimetableAsker", self.step, interval)
        self._metastore = metastore
        self._graphs = graphs
        self._code = code
        self._planned = planned
        self._silent: dict[DagId, tuple[schedules.Unplanned, float]] = {}

    async def step(self) -> bool:
        """Ask every timetable that owes a plan; True where one has given it."""
        async with self._metastore.reading() as tx:
            unplanned = await schedules.unplanned(tx, limit=_MOST)
            graphs = await self._graphs.get(tx, {one.version for one in unplanned})
        own = [one for one in unplanned if isinstance(graphs[one.version].dag.timetable, CustomTimetable)]
        owing = [one for one in own if not self._is_silent(one)]
        if not owing:
            return False
        async with self._code.keeper() as keeper:
            plans = [await self._plan(keeper, one, graphs[one.version].dag) for one in owing]
        if any(plans):
            self._planned.ring()
        return any(plans)

    async def _plan(self, keeper: Keeper, unplanned: schedules.Unplanned, dag: DagSpec) -> bool:
        try:
            ended = await self._ask(keeper, unplanned, dag)
        except (BadBundle, NotFound, OSError) as error:
            log.warning("timetable could not be asked", dag=unplanned.dag_id, error=str(error))
            return self._leave_alone(unplanned)
        planned = _read(ended)
        if planned is None:
            if ended.result is None:
                log.warning("timetable failed", dag=unplanned.dag_id, ended_by=ended.by.value, code=ended.exit_code)
            return self._leave_alone(unplanned)
        if unplanned.last_interval is not None and planned.logical_date <= unplanned.last_interval.start:
            # A run is known by its date: one that is not later would be the last one again, for ever.
            log.warning("timetable goes back", dag=unplanned.dag_id, wanted=planned.logical_date.isoformat())
            return self._leave_alone(unplanned)
        async with self._metastore.transaction() as tx:
            return await schedules.plan(tx, unplanned, planned)

    def _leave_alone(self, unplanned: schedules.Unplanned) -> bool:
        self._silent[unplanned.dag_id] = (unplanned, asyncio.get_running_loop().time())
        return False

    async def _ask(self, keeper: Keeper, unplanned: schedules.Unplanned, dag: DagSpec) -> Ended:
        last = unplanned.last_interval
        payload: dict[str, Any] = {
            "file": dag.file,
            "dag_id": unplanned.dag_id,
            "last": None if last is None else [last.start.isoformat(), last.end.isoformat()],
            "earliest": (dag.start_date or unplanned.first_seen_at).isoformat(),
            "latest": dag.end_date.isoformat() if dag.end_date else None,
            "catchup": dag.catchup,
        }
        return await self._code.call(
            keeper,
            ENTRY,
            payload,
            bundle=unplanned.bundle,
            dag_id=unplanned.dag_id,
            run_id=RunId(""),
            log=(LOG_NAME, "next"),
            at_most=TIMEOUT,
        )

    def _is_silent(self, unplanned: schedules.Unplanned) -> bool:
        asked, at = self._silent.get(unplanned.dag_id, (None, 0.0))
        return asked == unplanned and asyncio.get_running_loop().time() - at < PATIENCE_SECONDS


def _read(ended: Ended) -> NextRun | None:
    """Return the run that the process told of; None where it told of none, or of one that cannot be."""
    result = ended.result or {}
    try:
        start, end, run_after = (datetime.fromisoformat(result[name]) for name in ("start", "end", "run_after"))
        return NextRun(DataInterval(start, end), run_after)
    except (KeyError, TypeError, ValueError):
        return None
