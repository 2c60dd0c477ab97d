"""ExternalTaskSensor: what it waits for, and what ends the wait."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd.domain.assignment import RunContext
from flowd.domain.errors import InvalidDag
from flowd.domain.states import RunType
from flowd.domain.work import NoWork
from flowd.operators.sensors.external_task import ExternalTaskMarker, ExternalTaskSensor
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.dag import DAG
from flowd.sdk.exceptions import (
    AirflowException,
    AirflowRescheduleException,
    AirflowSkipException,
    DuplicateStateError,
    ExternalDagDeletedError,
    ExternalDagFailedError,
    ExternalDagNotFoundError,
    ExternalTaskFailedError,
    ExternalTaskGroupFailedError,
    ExternalTaskGroupNotFoundError,
    ExternalTaskNotFoundError,
)
from tests.operators.running import context_for, execute
from tests.support.task_server import TaskServer

DATE = datetime(2026, 1, 31, tzinfo=UTC)
RUN = RunContext(run_type=RunType.SCHEDULED, run_after=DATE + timedelta(hours=1), logical_date=DATE)


@pytest.fixture(autouse=True)
def dag() -> Any:
    with DAG("waiting", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        yield dag


def a_sensor(**keywords: Any) -> ExternalTaskSensor:
    fields: dict[str, Any] = {"external_dag_id": "child", "mode": "reschedule", "poke_interval": 600}
    return ExternalTaskSensor(task_id="wait", **(fields | keywords))


def tasks(**states: str | None) -> TaskServer:
    """One run with these tasks; `a_1` is the index 1 of `a`."""
    found = []
    for name, state in states.items():
        task, _, index = name.partition("_")
        found.append({"run_id": "r", "task_id": task, "map_index": int(index or -1), "state": state})
    return TaskServer(answers={"task_states": [{"tasks": found}], "dag": [{"dag": {"groups": {"g": ["a", "b"]}}}]})


def runs(*states: str) -> TaskServer:
    return TaskServer(answers={"run_states": [{"states": {f"r{n}": state for n, state in enumerate(states)}}]})


def poke(sensor: BaseOperator, server: TaskServer, run: RunContext = RUN) -> bool:
    try:
        execute(sensor, context_for(sensor, run), server)
    except AirflowRescheduleException:
        return False
    return True


def test_without_a_task_it_waits_for_the_run_of_its_own_date() -> None:
    server = runs("success")

    assert poke(a_sensor(), server)

    assert server.requests[-1] == {
        "op": "run_states",
        "dag_id": "child",
        "run_ids": None,
        "logical_dates": ["2026-01-31T00:00:00+00:00"],
    }


@pytest.mark.parametrize(
    ("keywords", "dates"),
    [
        ({"execution_delta": timedelta(days=1)}, ["2026-01-30T00:00:00+00:00"]),
        ({"execution_date_fn": lambda date: date.replace(day=1)}, ["2026-01-01T00:00:00+00:00"]),
        (
            {"execution_date_fn": lambda date, ds_nodash: [date, datetime.strptime(ds_nodash, "%Y%m%d")]},
            ["2026-01-31T00:00:00+00:00"] * 2,
        ),
    ],
)
def test_the_date_may_be_another(keywords: dict[str, Any], dates: list[str]) -> None:
    server = runs("success", "success")

    assert poke(a_sensor(**keywords), server)

    assert server.requests[-1]["logical_dates"] == dates


def test_a_run_without_a_logical_date_counts_by_when_it_may_run() -> None:
    server = runs("success")

    poke(a_sensor(), server, RunContext(run_type=RunType.MANUAL, run_after=DATE))

    assert server.requests[-1]["logical_dates"] == [DATE.isoformat()]


@pytest.mark.parametrize(
    ("keywords", "server", "is_done"),
    [
        ({}, runs(), False),
        ({}, runs("running"), False),
        ({}, runs("failed"), False),
        ({"allowed_states": ["failed", "success"]}, runs("failed"), True),
        ({"execution_date_fn": lambda date: [date, date - timedelta(days=1)]}, runs("success"), False),
        ({"external_task_id": "a"}, tasks(), False),
        ({"external_task_id": "a"}, tasks(a=None), False),
        ({"external_task_id": "a"}, tasks(a="success"), True),
        ({"external_task_id": "a"}, tasks(a_0="success", a_1="running"), False),
        ({"external_task_id": "a"}, tasks(a_0="success", a_1="success"), True),
        ({"external_task_ids": ["a", "b"]}, tasks(a="success"), False),
        ({"external_task_ids": ["a", "b"]}, tasks(a="success", b="skipped"), False),
        ({"external_task_ids": ["a", "b"], "allowed_states": ["success", "skipped"]},
         tasks(a="success", b="skipped"), True),
        ({"external_task_group_id": "g"}, tasks(a="success", b="success"), True),
        ({"external_task_group_id": "g"}, tasks(a="success", b="running"), False),
        ({"external_task_group_id": "g"}, tasks(), False),
    ],
)  # fmt: skip
def test_it_is_done_when_all_of_it_is_allowed(keywords: dict[str, Any], server: TaskServer, is_done: bool) -> None:
    assert poke(a_sensor(**keywords), server) is is_done


@pytest.mark.parametrize(
    ("keywords", "server", "kind", "message"),
    [
        ({"failed_states": ["failed"]}, runs("failed"), ExternalDagFailedError, "^DAG child is in one of"),
        ({"external_task_id": "a", "failed_states": ["failed"], "skipped_states": ["skipped"]},
         tasks(a_0="skipped", a_1="failed"), ExternalTaskFailedError, "^a of DAG child is in one of the states failed"),
        ({"external_task_group_id": "g", "failed_states": ["failed"]},
         tasks(a="failed", b="running"), ExternalTaskGroupFailedError, "^group g of DAG child is in one of"),
        ({"failed_states": ["failed"], "soft_fail": True}, runs("failed"), AirflowSkipException, "soft_fail is set"),
        ({"external_task_id": "a", "skipped_states": ["skipped"]},
         tasks(a="skipped"), AirflowSkipException, "^a of DAG child is in one of the states skipped$"),
    ],
)  # fmt: skip
def test_a_failed_or_skipped_state_ends_it_otherwise(
    keywords: dict[str, Any], server: TaskServer, kind: type[AirflowException], message: str
) -> None:
    with pytest.raises(kind, match=message):
        poke(a_sensor(**keywords), server)


@pytest.mark.parametrize(
    ("keywords", "known", "kind"),
    [
        ({}, None, ExternalDagNotFoundError),
        ({}, {"is_active": False}, ExternalDagDeletedError),
        ({"external_task_id": "b"}, {"tasks": ["a"]}, ExternalTaskNotFoundError),
        ({"external_task_group_id": "g"}, {"groups": {"h": []}}, ExternalTaskGroupNotFoundError),
    ],
)
def test_with_check_existence_it_does_not_wait_for_what_is_not_there(
    keywords: dict[str, Any], known: dict[str, Any] | None, kind: type[AirflowException]
) -> None:
    with pytest.raises(kind):
        poke(a_sensor(check_existence=True, **keywords), TaskServer(answers={"dag": [{"dag": known}]}))


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("known", "kind"),
    [
        ({"groups": {"h": []}}, ExternalTaskGroupNotFoundError),
        (None, ExternalDagNotFoundError),
    ],
)
def test_a_group_that_is_not_there_is_never_waited_for(
    known: dict[str, Any] | None, kind: type[AirflowException], deferrable: bool
) -> None:
    with pytest.raises(kind):
        poke(a_sensor(external_task_group_id="g", deferrable=deferrable), TaskServer(answers={"dag": [{"dag": known}]}))


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        ({"external_task_id": "a", "external_task_ids": ["b"]}, InvalidDag, "external_task_ids are both given"),
        ({"execution_delta": timedelta(1), "execution_date_fn": id}, InvalidDag, "execution_date_fn are both given"),
        ({"allowed_states": ["skipped"]}, InvalidDag, "allowed_states: 'skipped' is not a valid RunState; wanted"),
        ({"failed_states": ["success"]}, DuplicateStateError, "success is among the allowed, skipped or failed states"),
    ],
)
def test_what_contradicts_itself_is_refused(keywords: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        a_sensor(**keywords)


def test_a_marker_is_nothing_to_do() -> None:
    marker = ExternalTaskMarker(task_id="mark", external_dag_id="child", external_task_id="wait")

    assert poke(marker, TaskServer()) and isinstance(marker, BaseOperator)
    assert marker.plain_work() == NoWork(), "the scheduler itself makes it a success"
