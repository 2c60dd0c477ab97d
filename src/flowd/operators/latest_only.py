"""LatestOnlyOperator: lets only the latest run of a schedule go on."""

from collections.abc import Iterable
from datetime import UTC, datetime

from flowd.domain.data_interval import DataInterval
from flowd.domain.states import RunType
from flowd.domain.timetable import next_run
from flowd.operators.branch import BaseBranchOperator
from flowd.sdk.context import Context


class LatestOnlyOperator(BaseBranchOperator):
    """Skip the tasks directly behind it where the schedule's next run is due already.

    A run that somebody triggered goes on always, and so does the last run of a schedule.
    """

    ui_color = "#e9ffdb"

    def choose_branch(self, context: Context) -> Iterable[str]:
        """Return all tasks directly behind, or none."""
        superseded_at = self._superseded_at(context)
        if superseded_at is None or datetime.now(UTC) <= superseded_at:
            return list(self.downstream_task_ids)
        self.log.info("a later run is due since %s: skipping what is behind", superseded_at.isoformat())
        return []

    def _superseded_at(self, context: Context) -> datetime | None:
        run = context["dag_run"]
        start, end = run.data_interval_start, run.data_interval_end
        if run.run_type is RunType.MANUAL or start is None or end is None:
            return None
        after = next_run(
            self.dag.timetable,
            DataInterval(_plain(start), _plain(end)),
            start_date=_plain(self.dag.first_start_date or start),
            end_date=None if self.dag.end_date is None else _plain(self.dag.end_date),
            catchup=True,
            now=_plain(end),
        )
        return None if after is None else after.run_after


def _plain(moment: datetime) -> datetime:
    """Return a datetime of the standard library: the dates of a context add and compare by rules of their own."""
    return datetime.fromisoformat(moment.isoformat())
