"""RunningDagRun: `dag_run` in the context of a task."""

from datetime import datetime
from functools import cached_property
from typing import Any

from flowd.domain.assignment import RunContext
from flowd.domain.ids import DagId, RunId
from flowd.domain.states import RunType
from flowd.sdk.moments import moment, moment_or_none
from flowd.sdk.not_queried import NotQueried
from flowd.sdk.supervisor import ask

PREVIOUS_DATES = (
    "prev_data_interval_start_success",
    "prev_data_interval_end_success",
    "prev_start_date_success",
    "prev_end_date_success",
)
"""Dates of the last successful run before this one, by their names in a context."""


class RunningDagRun(metaclass=NotQueried):
    """The run a task belongs to, with Airflow's attributes. Its dates are made when they are first read.

    Most tasks read none of them, and pendulum takes longer for five dates than all the rest of a context.
    """

    airflow_name = "DagRun"

    def __init__(self, dag_id: DagId, run_id: RunId, run: RunContext, state: str = "running") -> None:
        self.dag_id: str = dag_id
        self.run_id: str = run_id
        self.state = state
        self._run = run

    @property
    def run_type(self) -> RunType:
        """Who asked for the run."""
        return self._run.run_type

    @cached_property
    def conf(self) -> dict[str, Any]:
        """What the run was triggered with."""
        return dict(self._run.conf)

    @cached_property
    def run_after(self) -> datetime:
        """The moment from which the run may run."""
        return moment(self._run.run_after)

    @cached_property
    def logical_date(self) -> datetime | None:
        """The date the run stands for, if any."""
        return moment_or_none(self._run.logical_date)

    @cached_property
    def data_interval_start(self) -> datetime | None:
        """Where the data of the run begin."""
        return moment_or_none(self._run.data_interval_start)

    @cached_property
    def data_interval_end(self) -> datetime | None:
        """Where the data of the run end."""
        return moment_or_none(self._run.data_interval_end)

    @cached_property
    def start_date(self) -> datetime | None:
        """When the run began to run."""
        return moment_or_none(self._run.start_date)

    @property
    def partition_key(self) -> str | None:
        """The partition that the run is about, if any."""
        return self._run.partition_key

    @cached_property
    def partition_date(self) -> datetime | None:
        """Where that partition begins, if it is a stretch of time."""
        return moment_or_none(self._run.partition_date)

    @property
    def execution_date(self) -> datetime | None:
        """The logical date under its older name."""
        return self.logical_date

    @property
    def external_trigger(self) -> bool:
        """True where somebody asked for the run."""
        return self.run_type not in (RunType.SCHEDULED, RunType.BACKFILL)

    @cached_property
    def previous_dates(self) -> dict[str, datetime | None]:
        """The PREVIOUS_DATES, for which the server is asked once; None where no run succeeded before."""
        answer = ask("context")
        texts = {name: answer.get(name) for name in PREVIOUS_DATES}
        return {name: moment(datetime.fromisoformat(text)) if text else None for name, text in texts.items()}
