"""RunningDagRun: `dag_run` in the context of a task."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flowd.domain.assignment import RunContext
from flowd.domain.ids import DagId, RunId
from flowd.domain.states import RunType
from flowd.sdk.moments import moment, moment_or_none


@dataclass(frozen=True, kw_only=True)
class RunningDagRun:
    """The run a task belongs to, with Airflow's attributes."""

    dag_id: str
    run_id: str
    run_type: RunType
    run_after: datetime
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    start_date: datetime | None
    conf: Mapping[str, Any]
    state: str = "running"

    @property
    def execution_date(self) -> datetime | None:
        """The logical date under its older name."""
        return self.logical_date

    @property
    def external_trigger(self) -> bool:
        """True where somebody asked for the run."""
        return self.run_type not in (RunType.SCHEDULED, RunType.BACKFILL)


def dag_run_of(dag_id: DagId, run_id: RunId, run: RunContext, state: str = "running") -> RunningDagRun:
    """Return the run as its tasks and callbacks see it."""
    return RunningDagRun(
        dag_id=dag_id,
        run_id=run_id,
        run_type=run.run_type,
        run_after=moment(run.run_after),
        logical_date=moment_or_none(run.logical_date),
        data_interval_start=moment_or_none(run.data_interval_start),
        data_interval_end=moment_or_none(run.data_interval_end),
        start_date=moment_or_none(run.start_date),
        conf=dict(run.conf),
        state=state,
    )
