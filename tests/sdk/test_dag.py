"""DAG, @dag, task groups and @task_group."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest

from flowd import DAG, EmptyOperator, Param, TaskGroup, dag, task, task_group
from flowd.domain.errors import InvalidDag, InvalidSchedule
from flowd.domain.timetable import CronTriggerTimetable, DeltaTriggerTimetable, NullTimetable, OnceTimetable
from flowd.sdk.exceptions import DuplicateTaskIdFound, TaskNotFound
from flowd.sdk.xcom_arg import DagParam, XComArg


@pytest.mark.parametrize(
    ("keywords", "timetable"),
    [
        ({}, NullTimetable()),
        ({"schedule": "@once"}, OnceTimetable()),
        ({"schedule": "0 6 * * *"}, CronTriggerTimetable("0 6 * * *", "Europe/Zurich")),
        ({"schedule_interval": "@daily"}, CronTriggerTimetable("0 0 * * *", "Europe/Zurich")),
        ({"timetable": timedelta(hours=2)}, DeltaTriggerTimetable(timedelta(hours=2))),
    ],
)
@pytest.mark.parametrize("zone", [ZoneInfo("Europe/Zurich"), pendulum.timezone("Europe/Zurich")])
def test_the_schedule_is_read_in_the_zone_of_the_start_date(keywords: Any, timetable: Any, zone: Any) -> None:
    assert DAG("d", start_date=datetime(2026, 1, 1, tzinfo=zone), **keywords).timetable == timetable


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"schedul": "@daily"}, "DAG 'd': unknown keyword 'schedul'; did you mean 'schedule'"),
        ({"schedule": "@daily", "schedule_interval": "@daily"}, "schedule and schedule_interval say the same thing"),
        ({"schedule": [object()]}, "schedule is a list, which this version of flowd cannot follow"),
        ({"schedule": "every day"}, "DAG 'd': schedule 'every day'"),
        ({"tags": "etl"}, r"tags is 'etl', wanted a list of texts such as \['etl'\]"),
        ({"max_active_runs": "lots"}, "max_active_runs is 'lots', wanted a whole number"),
    ],
)
def test_a_keyword_that_cannot_be_is_refused(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDag, match=message):
        DAG("d", **keywords)


def test_an_impossible_schedule_keeps_its_kind_of_error() -> None:
    with pytest.raises(InvalidSchedule):
        DAG("d", schedule="@sometimes")


def test_dates_come_from_default_args_too_and_are_aware() -> None:
    made = DAG("d", default_args={"start_date": datetime(2026, 1, 1), "end_date": datetime(2026, 2, 1)})

    assert (made.start_date, made.end_date) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


def test_dates_may_be_text_and_have_an_offset_where_no_cron_expression_is_read() -> None:
    made = DAG("d", start_date="2026-01-01T00:00:00+02:00", schedule=timedelta(hours=1))  # type: ignore[arg-type]

    assert made.start_date == datetime(2025, 12, 31, 22, tzinfo=UTC)
    with pytest.raises(InvalidDag, match=r"^DAG 'd': the time zone of start_date, .* has no name; use ZoneInfo"):
        DAG("d", start_date=made.start_date, schedule="@daily")


def test_params_of_default_args_come_over_the_dags_and_are_no_default_of_each_task() -> None:
    with DAG("d", params={"a": 1, "b": 1}, default_args={"params": {"b": 2}}) as made:
        task = EmptyOperator(task_id="t", params={"c": 3})

    assert dict(made.params) == {"a": 1, "b": 2}
    assert dict(task.params) == {"a": 1, "b": 2, "c": 3}
    assert task.params.get_param("b") is made.params.get_param("b")


def test_older_names_of_limits_are_understood() -> None:
    assert DAG("d", concurrency=3).max_active_tasks == 3


def test_a_task_that_is_not_there_is_named_with_the_nearest() -> None:
    with DAG("d") as made:
        EmptyOperator(task_id="extract")

    with pytest.raises(TaskNotFound, match="DAG 'd' has no task 'extrct'; did you mean 'extract'"):
        made.get_task("extrct")


def test_the_arguments_of_a_dag_function_become_params() -> None:
    received: dict[str, Any] = {}

    regions = Param("eu", enum=["eu", "us"])

    @dag(schedule=None, params={"limit": Param(1, type="integer")}, tags=["b", "a"])
    def reports(email: str = "a@example.com", limit: int = 5, region: Any = regions) -> None:
        """Send reports."""
        received.update(email=email, limit=limit, region=region)

    made = reports(email="b@example.com")

    assert (made.dag_id, made.doc_md, made.tags) == ("reports", "Send reports.", ["a", "b"])
    assert dict(made.params) == {"email": "b@example.com", "limit": 5, "region": "eu"}
    assert made.params.get_param("limit").schema == {"type": "integer"}
    assert all(isinstance(value, DagParam) for value in received.values())
    assert received["limit"].resolve({"params": {"limit": 9}}) == 9


def test_a_bare_dag_decorator_takes_the_functions_name() -> None:
    @dag
    def plain() -> None:
        EmptyOperator(task_id="t")

    assert plain().task_ids == ["t"]


def test_groups_prefix_nest_and_keep_their_tree() -> None:
    with DAG("d") as made:
        with TaskGroup("outer", tooltip="all of it") as outer:
            EmptyOperator(task_id="a")
            with TaskGroup("inner", prefix_group_id=False):
                EmptyOperator(task_id="b")
        EmptyOperator(task_id="c")

    assert made.task_ids == ["outer.a", "outer.b", "c"]
    assert set(made.task_group_dict()) == {"outer", "outer.inner"}
    assert outer.get_child_by_label("a") is made.get_task("outer.a")
    assert made.get_task("outer.a").label == "a"


def test_a_second_group_of_one_id_is_refused_unless_a_suffix_may_be_added() -> None:
    with DAG("d"):
        TaskGroup("g")

        assert TaskGroup("g", add_suffix_on_collision=True).group_id == "g__1"
        with pytest.raises(DuplicateTaskIdFound, match="'g' is the id of a task or group already"):
            TaskGroup("g")
        with pytest.raises(DuplicateTaskIdFound):
            EmptyOperator(task_id="g")


def test_a_group_function_returns_what_it_returns_or_its_group() -> None:
    @task
    def double(x: int) -> int:
        return 2 * x

    @task_group(default_args={"retries": 4})
    def twice(x: Any) -> Any:
        """Double it twice."""
        return double(double(x))

    @task_group
    def nothing() -> None:
        EmptyOperator(task_id="t")

    with DAG("d") as made:
        output, again, group = twice(1), twice.override(group_id="other")(2), nothing()

    assert isinstance(output, XComArg) and output.operator.task_id == "twice.double__1"
    assert again.operator.task_id == "other.double__1"
    assert isinstance(group, TaskGroup)
    assert made.get_task("twice.double").retries == 4
    assert made.get_task("twice.double__1").upstream_task_ids == {"twice.double"}


def test_a_group_outside_of_a_dag_is_refused() -> None:
    with pytest.raises(InvalidDag, match="task group 'g' is in no DAG"):
        TaskGroup("g")
