"""Timetables that authors write: what of them the scheduler is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd import DAG
from flowd.domain.dag_spec import dag_from_json, dag_to_json
from flowd.domain.errors import InvalidDag
from flowd.domain.timetable import CustomTimetable, active_runs_limit, description, infer_manual_interval, summary
from flowd.sdk.serialize import serialize
from flowd.sdk.timetable import DagRunInfo, DataInterval, Timetable

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
