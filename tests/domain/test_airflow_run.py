"""What flowd makes of a row of Airflow's: its type, its door, its dates, how its instances end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd.domain.airflow_run import AirflowInstance, AirflowRun
from flowd.domain.data_interval import DataInterval
from flowd.domain.states import RunType, TaskState, TriggeredBy

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_run(**fields: Any) -> AirflowRun:
    defaults: dict[str, Any] = {
        "key": 1,
        "dag_id": "etl",
        "run_id": "one",
        "state": "success",
        "run_type": "manual",
        "ended_at": NOON,
    }
    return AirflowRun(**(defaults | fields))


def an_instance(**fields: Any) -> AirflowInstance:
    defaults: dict[str, Any] = {"dag_id": "etl", "run_id": "one", "task_id": "t", "map_index": -1, "state": "success"}
    numbers = {"try_number": 1, "max_tries": 0, "priority": 1}
    return AirflowInstance(**(defaults | numbers | {"operator": "", "pool": "", "queue": ""} | fields))


@pytest.mark.parametrize(
    ("run_type", "said", "wanted"),
    [
        ("scheduled", None, (RunType.SCHEDULED, TriggeredBy.TIMETABLE)),
        ("backfill", None, (RunType.BACKFILL, TriggeredBy.BACKFILL)),
        ("dataset_triggered", None, (RunType.ASSET_TRIGGERED, TriggeredBy.ASSET)),
        ("manual", None, (RunType.MANUAL, TriggeredBy.UI)),
        ("manual", "REST_API", (RunType.MANUAL, TriggeredBy.REST_API)),
        ("manual", "MARTIANS", (RunType.MANUAL, TriggeredBy.UI)),
        ("of a later version", None, (RunType.MANUAL, TriggeredBy.UI)),
    ],
)
def test_a_run_has_a_type_and_a_door_whichever_version_it_is_from(
    run_type: str, said: str | None, wanted: tuple[RunType, TriggeredBy]
) -> None:
    run = a_run(run_type=run_type, triggered_by=said)

    assert (run.flowd_type, run.door) == wanted


@pytest.mark.parametrize(
    ("dates", "interval"),
    [
        ({}, None),
        ({"logical_date": NOON}, DataInterval.at(NOON)),
        ({"logical_date": NOON, "interval_start": NOON, "interval_end": NOON + HOUR}, DataInterval(NOON, NOON + HOUR)),
        ({"logical_date": NOON, "interval_start": NOON, "interval_end": NOON - HOUR}, DataInterval.at(NOON)),
    ],
)
def test_a_run_that_has_a_logical_date_has_an_interval_so_that_nobody_waits_for_one(
    dates: dict[str, datetime], interval: DataInterval | None
) -> None:
    assert a_run(**dates).interval == interval


def test_airflow_2_says_by_the_interval_when_a_run_was_due() -> None:
    interval = {"logical_date": NOON - HOUR, "interval_start": NOON - HOUR, "interval_end": NOON}

    assert a_run(run_type="scheduled", **interval).due_at == NOON
    assert a_run(run_type="manual", **interval).due_at == NOON - HOUR
    assert a_run(run_type="scheduled", **interval, run_after=NOON + HOUR).due_at == NOON + HOUR


@pytest.mark.parametrize("run_id", ["a/b", "", "x" * 251, "white space"])
def test_a_run_with_an_id_that_no_url_can_name_has_a_problem(run_id: str) -> None:
    problem = a_run(run_id=run_id).problem

    assert problem is not None and problem.startswith("its id has other characters")


def test_a_run_without_a_date_has_a_problem() -> None:
    assert a_run(ended_at=None).problem == "it has no date at all"
    assert a_run().problem is None


@pytest.mark.parametrize(
    ("state", "outcome", "has_ended"),
    [
        *((state.value, state, True) for state in sorted(TaskState) if state.is_finished),
        (None, TaskState.SKIPPED, False),
        ("running", TaskState.SKIPPED, False),
        ("up_for_retry", TaskState.SKIPPED, False),
        ("shutdown", TaskState.SKIPPED, False),
    ],
)
def test_an_instance_ends_as_it_did_and_is_skipped_where_it_had_not(
    state: str | None, outcome: TaskState, has_ended: bool
) -> None:
    instance = an_instance(state=state)

    assert (instance.event.outcome, instance.has_ended) == (outcome, has_ended)


def test_no_instance_had_more_tries_than_it_was_allowed() -> None:
    event = an_instance(try_number=4, max_tries=1).event

    assert (event.try_number, event.max_tries) == (4, 3)
    assert (an_instance(try_number=-1, max_tries=-1).event.max_tries) == 0


def test_an_instance_without_dates_ended_with_its_run() -> None:
    assert an_instance().end(NOON) == NOON
    assert an_instance(started_at=NOON - HOUR).end(NOON) == NOON - HOUR
