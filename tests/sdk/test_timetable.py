"""Timetables that authors write: what of them the scheduler is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd import DAG
from flowd.domain.dag_spec import dag_from_json, dag_to_json
from flowd.domain.errors import InvalidDag
from flowd.domain.timetable import CronTriggerTimetable as CronTrigger
from flowd.domain.timetable import (
    CustomTimetable,
    active_runs_limit,
    description,
    infer_manual_interval,
    next_run,
    summary,
)
from flowd.sdk.known_timetables import (
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    KnownTimetable,
    MultipleCronTriggerTimetable,
)
from flowd.sdk.serialize import serialize
from flowd.sdk.timetable import DagRunInfo, DataInterval, TimeRestriction, Timetable

AT = datetime(2026, 1, 31, tzinfo=UTC)


class Workdays(Timetable):
    description = "Each workday"
    active_runs_limit = 2

    def __init__(self, holidays: tuple[datetime, ...] = ()) -> None:
        self.holidays = holidays

    @property
    def summary(self) -> str:
        return "workdays"

    def serialize(self) -> dict[str, Any]:
        return {"holidays": list(self.holidays)}

    def validate(self) -> None:
        if self.holidays == (AT,):
            raise ValueError("not on that day")


@pytest.mark.parametrize("keyword", ["schedule", "timetable"])
def test_the_scheduler_knows_its_name_and_what_tells_it_from_others(keyword: str) -> None:
    made = DAG("d", **{keyword: Workdays((AT + timedelta(1),))})  # type: ignore[arg-type]

    spec = dag_from_json(dag_to_json(serialize(made, "d.py"))).timetable

    assert spec == CustomTimetable(
        name=f"{__name__}.Workdays",
        summary="workdays",
        description="Each workday",
        details={"holidays": ["2026-02-01T00:00:00+00:00"]},
        active_runs_limit=2,
    )
    assert (summary(spec), description(spec), active_runs_limit(spec)) == ("workdays", "Each workday", 2)
    assert infer_manual_interval(spec, AT).start == AT


def test_one_that_refuses_itself_is_an_error_of_the_file() -> None:
    with pytest.raises(InvalidDag, match=r"^DAG 'd': Workdays refuses itself: not on that day"):
        DAG("d", schedule=Workdays((AT,)))


def test_its_parts_are_airflows() -> None:
    over = DagRunInfo.interval(AT, AT + timedelta(1))

    assert (over.run_after, over.logical_date) == (AT + timedelta(1), AT)
    assert DagRunInfo.exact(AT) == DagRunInfo(AT, DataInterval.exact(AT))
    assert Timetable().infer_manual_data_interval(run_after=AT) == DataInterval(AT, AT)
    with pytest.raises(NotImplementedError, match="must define next_dagrun_info"):
        Timetable().next_dagrun_info(last_automated_data_interval=None, restriction=None)  # type: ignore[arg-type]


class Skipping(CronTriggerTimetable):
    """As its cron expression says, but for the first of a month."""

    def next_dagrun_info(self, **given: Any) -> DagRunInfo | None:
        found = super().next_dagrun_info(**given)
        while found is not None and found.logical_date.day == 1:
            found = super().next_dagrun_info(**{**given, "last_automated_data_interval": found.data_interval})
        return found


def test_airflows_timetables_are_known_and_what_is_derived_from_them_is_asked() -> None:
    ours, theirs = DAG("d", schedule=CronTriggerTimetable("0 6 * * *")), DAG("e", schedule=Skipping("0 6 * * *"))

    assert ours.timetable == CronTrigger("0 6 * * *", "UTC")
    assert isinstance(theirs.timetable, CustomTimetable)
    assert (theirs.timetable.summary, theirs.timetable.details["kind"]) == ("0 6 * * *", "cron_trigger")


def test_what_is_derived_builds_on_the_runs_of_its_base() -> None:
    restriction = TimeRestriction(AT, None, True)
    timetable = Skipping("0 6 * * *", interval=timedelta(hours=6))
    last: DataInterval | None = None
    days: list[int] = []
    for _ in range(3):
        found = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        assert found is not None
        days.append(found.run_after.day)
        last = found.data_interval

    assert days == [31, 2, 3]
    assert timetable.infer_manual_data_interval(run_after=AT) == DataInterval(AT - timedelta(hours=6), AT)
    assert timetable._get_next(AT) == timetable._align_to_next(AT) == AT.replace(hour=6)
    assert timetable._get_prev(AT) == timetable._align_to_prev(AT) == AT.replace(day=30, hour=6)


@pytest.mark.parametrize(
    "timetable",
    [
        CronDataIntervalTimetable("@daily", "UTC"),
        MultipleCronTriggerTimetable("0 0 * * *", "0 12 * * *"),
        DeltaTriggerTimetable(timedelta(days=1)),
        DeltaDataIntervalTimetable(timedelta(days=1)),
        EventsTimetable([AT]),
    ],
)
def test_each_says_what_the_scheduler_would_plan(timetable: KnownTimetable) -> None:
    made = DAG("d", schedule=timetable, start_date=AT, catchup=True)

    info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=TimeRestriction(AT, None, True))

    planned = next_run(made.timetable, None, start_date=AT, end_date=None, catchup=True, now=AT)
    assert info is not None and planned is not None
    assert (info.run_after, info.logical_date) == (planned.run_after, planned.logical_date)
    assert timetable.summary == summary(made.timetable)
