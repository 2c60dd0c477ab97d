"""What a timetable of an author's own is asked, and how its answer is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import structlog

from flowd.child.keeper_client import Keeper
from flowd.domain.dag_spec import DagSpec
from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.errors import NotFound
from flowd.domain.ids import BundleHash, RunId
from flowd.roles.bundle_cache import BadBundle
from flowd.roles.scheduler.author_code import AuthorCode

log = structlog.get_logger(__name__)

ENTRY = "flowd.child.ask_timetable"
TIMEOUT = timedelta(seconds=30)

LOG_NAME = "(timetable)"
"""Stands for the run in the path of the log; no run can be called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimetableQuestion:
    """Which runs follow the one about `last` (None: the first), at most `most` of them, and what restricts them."""

    last: DataInterval | None
    earliest: datetime
    latest: datetime | None
    catchup: bool
    most: int
    purpose: str
    """What the question is for, in the name of its log."""


async def ask(
    code: AuthorCode, keeper: Keeper, question: TimetableQuestion, dag: DagSpec, bundle: BundleHash
) -> Sequence[NextRun] | None:
    """Return the runs that the DAG's timetable tells of, in a process of its own; fewer than `most` are all.

    None is the answer of a timetable that fails, hangs or tells what cannot be; that is logged.
    """
    last = question.last
    asked = {
        "last": None if last is None else [last.start.isoformat(), last.end.isoformat()],
        "earliest": question.earliest.isoformat(),
        "latest": question.latest.isoformat() if question.latest else None,
        "catchup": question.catchup,
        "most": question.most,
    }
    runs = await _runs(code, keeper, asked, dag, bundle, question.purpose)
    dates = [*([] if last is None else [last.start]), *(run.logical_date for run in runs or ())]
    for before, after in pairwise(dates):
        if after <= before:
            # A run is known by its date: one that is not later would be the last one again, for ever.
            log.warning("timetable goes back", dag=dag.dag_id, wanted=after.isoformat())
            return None
    return runs


async def ask_triggered(
    code: AuthorCode, keeper: Keeper, date: datetime, dag: DagSpec, bundle: BundleHash
) -> DataInterval | None:
    """Return what a run that was triggered for this moment is about, by the DAG's timetable; None as from `ask`."""
    runs = await _runs(code, keeper, {"triggered": date.isoformat()}, dag, bundle, "triggered")
    return runs[0].data_interval if runs else None


async def _runs(
    code: AuthorCode, keeper: Keeper, asked: Mapping[str, Any], dag: DagSpec, bundle: BundleHash, purpose: str
) -> list[NextRun] | None:
    try:
        ended = await code.call(
            keeper,
            ENTRY,
            {**asked, "file": dag.file, "dag_id": dag.dag_id},
            bundle=bundle,
            dag_id=dag.dag_id,
            run_id=RunId(""),
            log=(LOG_NAME, purpose),
            at_most=TIMEOUT,
        )
    except (BadBundle, NotFound, OSError) as error:
        log.warning("timetable could not be asked", dag=dag.dag_id, error=str(error))
        return None
    try:
        return [_run(told) for told in (ended.result or {})["runs"]]
    except (KeyError, TypeError, ValueError):
        log.warning("timetable failed", dag=dag.dag_id, ended_by=ended.by.value, code=ended.exit_code)
        return None


def _run(told: Any) -> NextRun:
    start, end, run_after = (datetime.fromisoformat(told[name]) for name in ("start", "end", "run_after"))
    return NextRun(DataInterval(start, end), run_after)
