"""Branches by the clock: bounds, days, time zones, the names of former versions."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import pytest

from flowd import DAG, BaseOperator, BranchDateTimeOperator, BranchDayOfWeekOperator, EmptyOperator
from flowd.domain.assignment import RunContext
from flowd.domain.errors import InvalidDag
from flowd.domain.states import RunType
from flowd.operators.branch_dates import bounds_on
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.weekday import WeekDay
from tests.operators.running import context_for, execute

SUNDAY_LATE = datetime(2026, 11, 1, 23, 30, tzinfo=UTC)
IDS = {"follow_task_ids_if_true": "yes", "follow_task_ids_if_false": ["no"]}


def chosen(operator: type[BaseOperator], at: datetime = SUNDAY_LATE, *, zone: Any = UTC, **keywords: Any) -> Any:
    """What a branch of this class follows in a run whose logical date is `at`."""
    with DAG("etl", start_date=datetime(2026, 1, 1, tzinfo=zone)):
        branch = operator(task_id="branch", **IDS, **keywords)
        branch >> [EmptyOperator(task_id="yes"), EmptyOperator(task_id="no")]
    run = RunContext(run_type=RunType.MANUAL, run_after=at, logical_date=at)
    return execute(branch, context_for(branch, run))


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (time(23), time(23, 59), "yes"),
        (time(22), time(23), ["no"]),
        (time(23, 30), None, "yes"),
        (None, time(23, 30), "yes"),
        (time(23, 31), None, ["no"]),
        (time(23), time(2), "yes"),
        (datetime(2026, 11, 1), datetime(2026, 11, 2, tzinfo=UTC), "yes"),
        (datetime(2026, 11, 2), None, ["no"]),
        (None, datetime(2026, 11, 1, 23, tzinfo=timezone(timedelta(hours=-2))), "yes"),
    ],
)
def test_a_branch_follows_where_the_logical_date_lies_within_the_bounds(lower: Any, upper: Any, expected: Any) -> None:
    keywords = {"target_lower": lower, "target_upper": upper, "use_task_logical_date": True}

    assert chosen(BranchDateTimeOperator, **keywords) == expected


def test_the_present_moment_is_taken_unless_told_otherwise() -> None:
    now = datetime.now(UTC)
    within = {"target_lower": now - timedelta(hours=1), "target_upper": now + timedelta(hours=1)}

    assert chosen(BranchDateTimeOperator, **within) == "yes"
    assert chosen(BranchDateTimeOperator, use_task_logical_date=True, **within) == ["no"]
    assert chosen(BranchDayOfWeekOperator, week_day=list(WeekDay)) == "yes"


def test_an_upper_time_before_the_lower_is_of_the_next_day() -> None:
    assert bounds_on(date(2026, 1, 31), time(22), time(6)) == (
        datetime(2026, 1, 31, 22, tzinfo=UTC),
        datetime(2026, 2, 1, 6, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("week_day", "expected"),
    [
        ("Sunday", "yes"),
        ("MONDAY", ["no"]),
        (WeekDay.SUNDAY, "yes"),
        ({"Saturday", WeekDay.SUNDAY}, "yes"),
        (["monday", "friday"], ["no"]),
    ],
)
def test_a_branch_follows_on_its_days(week_day: Any, expected: Any) -> None:
    assert chosen(BranchDayOfWeekOperator, week_day=week_day, use_task_logical_date=True) == expected


def test_the_day_is_that_of_the_dags_time_zone() -> None:
    east = timezone(timedelta(hours=2))

    assert chosen(BranchDayOfWeekOperator, zone=east, week_day="Monday", use_task_logical_date=True) == "yes"


def test_the_names_of_former_versions_work_with_a_warning() -> None:
    with pytest.warns(DagWarning, match="'branch': use_task_execution_date is an old name of use_task_logical_date"):
        assert chosen(
            BranchDateTimeOperator, target_lower=None, target_upper=time(23, 59), use_task_execution_date=True
        ) == "yes"  # fmt: skip
    with pytest.warns(DagWarning, match="use_task_execution_day is an old name"):
        assert chosen(BranchDayOfWeekOperator, week_day="Sunday", use_task_execution_day=True) == "yes"


@pytest.mark.parametrize(
    ("operator", "keywords", "message"),
    [
        (BranchDateTimeOperator, {"target_lower": None, "target_upper": None}, "are both None; give one or both"),
        (BranchDayOfWeekOperator, {"week_day": "Sonday"}, "'Sonday' is no day of the week; did you mean 'SUNDAY'"),
        (BranchDayOfWeekOperator, {"week_day": 7}, "week_day is 7; wanted a day such as 'Monday'"),
    ],
)
def test_what_cannot_be_a_bound_or_day_is_refused(
    operator: type[BaseOperator], keywords: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidDag, match=message):
        chosen(operator, **keywords)
