"""Branches by the clock: BranchDateTimeOperator and BranchDayOfWeekOperator."""

import warnings
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.operators.branch import BaseBranchOperator
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.weekday import WeekDay


class BranchDateTimeOperator(BaseBranchOperator):
    """Follow one branch where the moment lies within the bounds (both inclusive), the other where not.

    A bound that is a time of day is of the day of the moment, in UTC; an upper one before the lower is of the next day.
    """

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Iterable[str],
        follow_task_ids_if_false: str | Iterable[str],
        target_lower: datetime | time | None,
        target_upper: datetime | time | None,
        use_task_logical_date: bool = False,
        use_task_execution_date: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if target_lower is None and target_upper is None:
            raise InvalidDag(f"task {self.task_id!r}: target_lower and target_upper are both None; give one or both")
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false
        self.target_lower, self.target_upper = target_lower, target_upper
        self.use_task_logical_date = use_task_logical_date or _by_old_name(
            self, "use_task_execution_date", use_task_execution_date
        )

    def choose_branch(self, context: Context) -> str | Iterable[str]:
        """Return the branch for the present moment, or for the logical date."""
        moment = _moment(context, is_logical=self.use_task_logical_date)
        lower, upper = bounds_on(moment.date(), self.target_lower, self.target_upper)
        is_within = (lower is None or lower <= moment) and (upper is None or moment <= upper)
        return self.follow_task_ids_if_true if is_within else self.follow_task_ids_if_false


class BranchDayOfWeekOperator(BaseBranchOperator):
    """Follow one branch on some days of the week, in the DAG's time zone, and the other on the rest."""

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Iterable[str],
        follow_task_ids_if_false: str | Iterable[str],
        week_day: str | WeekDay | Iterable[str | WeekDay],
        use_task_logical_date: bool = False,
        use_task_execution_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false
        self.week_day = week_day
        self.use_task_logical_date = use_task_logical_date or _by_old_name(
            self, "use_task_execution_day", use_task_execution_day
        )
        self._days = WeekDay.validate_week_day(week_day)

    def choose_branch(self, context: Context) -> str | Iterable[str]:
        """Return the branch for today, or for the day of the logical date."""
        moment = _moment(context, is_logical=self.use_task_logical_date).astimezone(self.dag.timezone)
        return self.follow_task_ids_if_true if moment.isoweekday() in self._days else self.follow_task_ids_if_false


def bounds_on(
    day: date, lower: datetime | time | None, upper: datetime | time | None
) -> tuple[datetime | None, datetime | None]:
    """Return the bounds as moments; a time of day is of `day`, an upper one before the lower of the day after."""
    begins, ends = (_on(day, bound) for bound in (lower, upper))
    if isinstance(lower, time) and isinstance(upper, time) and begins and ends and ends < begins:
        ends += timedelta(days=1)
    return begins, ends


def _on(day: date, bound: datetime | time | None) -> datetime | None:
    if bound is None:
        return None
    moment = datetime.combine(day, bound) if isinstance(bound, time) else bound
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(context: Context, *, is_logical: bool) -> datetime:
    if not is_logical:
        return datetime.now(UTC)
    run = context["dag_run"]
    moment: datetime = run.logical_date or run.run_after
    return moment


def _by_old_name(task: BaseOperator, name: str, value: bool) -> bool:
    if value:
        warnings.warn(
            f"task {task.task_id!r}: {name} is an old name of use_task_logical_date; write that",
            DagWarning,
            stacklevel=4,
        )
    return value
