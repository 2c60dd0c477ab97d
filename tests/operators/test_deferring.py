"""Operators that defer themselves, and the triggers that they wait for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowd.domain.assignment import RunContext
from flowd.domain.states import RunType
from flowd.operators.sensors.external_task import ExternalTaskSensor
from flowd.operators.sensors.file import FileSensor
from flowd.operators.sensors.moments import DateTimeSensorAsync, TimeDeltaSensor
from flowd.operators.trigger_dagrun import TriggerDagRunOperator
from flowd.operators.triggers.external_task import DagStateTrigger, WorkflowTrigger
from flowd.operators.triggers.file import FileTrigger
from flowd.operators.triggers.temporal import DateTimeTrigger, TimeDeltaTrigger
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.dag import DAG
from flowd.sdk.deferrable import FAIL, TIMEOUT
from flowd.sdk.exceptions import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    ExternalDagFailedError,
    TaskDeferralError,
    TaskDeferralTimeout,
    TaskDeferred,
)
from flowd.sdk.supervisor import supervised_by
from flowd.sdk.trigger_class import first_event, make_trigger
from flowd.sdk.triggers import BaseTrigger, TaskFailedEvent, TriggerEvent
from flowd.sdk.xcom_json import to_json
from tests.operators.running import context_for, execute
from tests.support.task_server import TaskServer

NOW = datetime.now(UTC)
RUN = RunContext(run_type=RunType.SCHEDULED, run_after=NOW, logical_date=NOW)
PAST, FUTURE = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def dag() -> Any:
    with DAG("waiting", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        yield dag


def deferred(task: BaseOperator, server: TaskServer | None = None) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as raised:
        execute(task, context_for(task, RUN), server)
    return raised.value


def anew(trigger: BaseTrigger) -> BaseTrigger:
    """The trigger as another process makes it."""
    classpath, kwargs = trigger.serialize()
    stored = {name: to_json(value) for name, value in kwargs.items()}
    return make_trigger(classpath, stored, root=None, file="")


def fires(trigger: BaseTrigger, server: TaskServer | None = None) -> Any:
    async def fire() -> Any:
        return await asyncio.wait_for(first_event(anew(trigger)), 10)

    with supervised_by(server or TaskServer()):
        return asyncio.run(fire())


def test_a_moment_that_has_come_needs_no_deferral_and_one_that_has_not_is_a_trigger() -> None:
    assert execute(DateTimeSensorAsync(task_id="past", target_time=PAST)) is None

    waiting = deferred(TimeDeltaSensor(task_id="soon", delta=timedelta(hours=1), deferrable=True))

    assert isinstance(waiting.trigger, DateTimeTrigger) and waiting.trigger.fires_at == FUTURE
    assert (waiting.method_name, waiting.timeout) == ("execute_complete", None)


def test_triggers_of_a_moment_are_stored_as_it() -> None:
    trigger = TimeDeltaTrigger(timedelta(seconds=0))

    assert anew(trigger).fires_at == trigger.moment
    assert fires(trigger) == {"event": to_json(trigger.moment)}
    assert fires(DateTimeTrigger(PAST, end_from_trigger=True)) == {"ends_as": "success", "xcoms": {}}
    with pytest.raises(ValueError, match="which has no time zone"):
        DateTimeTrigger(datetime(2026, 1, 1))


def test_a_file_that_is_there_needs_no_deferral_and_one_that_is_not_is_a_trigger(tmp_path: Path) -> None:
    wanted = tmp_path / "here"
    sensor = FileSensor(task_id="file", filepath=str(wanted), deferrable=True, poke_interval=0.01, timeout=60)

    waiting = deferred(sensor)
    wanted.touch()

    assert isinstance(waiting.trigger, FileTrigger) and waiting.timeout == timedelta(seconds=60)
    assert fires(waiting.trigger) == {"event": True}
    assert execute(FileSensor(task_id="again", filepath=str(wanted), deferrable=True)) is None


@pytest.mark.parametrize(("state", "status"), [("success", "success"), ("failed", "failed")])
def test_an_external_run_is_waited_for_by_a_trigger(state: str, status: str) -> None:
    server = TaskServer(answers={"run_states": [{"states": {}}, {"states": {"r": state}}]})
    sensor = ExternalTaskSensor(
        task_id="wait", external_dag_id="child", deferrable=True, poll_interval=0.01, failed_states=["failed"]
    )

    waiting = deferred(sensor)

    assert isinstance(waiting.trigger, WorkflowTrigger)
    assert fires(waiting.trigger, server) == {"event": {"status": status}}
    assert server.asked.count("run_states") == 2
    assert server.requests[-1]["logical_dates"] == [NOW.isoformat()]


def test_what_its_trigger_found_fails_or_skips_the_sensor() -> None:
    sensor = ExternalTaskSensor(task_id="wait", external_dag_id="child", deferrable=True, soft_fail=True)
    strict = ExternalTaskSensor(task_id="strict", external_dag_id="child", deferrable=True)

    sensor.execute_complete(context_for(sensor), event={"status": "success"})
    for status in ("failed", "skipped"):
        with pytest.raises(AirflowSkipException):
            sensor.resume_execution("execute_complete", {"event": {"status": status}}, context_for(sensor))
    with pytest.raises(ExternalDagFailedError):
        strict.resume_execution("execute_complete", {"event": {"status": "failed"}}, context_for(strict))


def test_a_triggered_run_is_waited_for_by_a_trigger() -> None:
    task = TriggerDagRunOperator(
        task_id="t", trigger_dag_id="child", wait_for_completion=True, deferrable=True, poke_interval=0.01
    )
    made = TaskServer(answers={"trigger_dag_run": [{"outcome": "triggered", "run_id": "r"}]})
    server = TaskServer(answers={"run_states": [{"states": {"r": "running"}}, {"states": {"r": "failed"}}]})

    waiting = deferred(task, made)
    assert isinstance(waiting.trigger, DagStateTrigger)
    _, found = fires(waiting.trigger, server)["event"]["value"]

    assert found["r"] == "failed"
    with pytest.raises(AirflowException, match=r"^the run 'r' of child ended in the failed state failed$"):
        task.execute_complete(context_for(task), event=("", found))


@pytest.mark.parametrize(
    ("keywords", "error", "kind"),
    [
        (None, TIMEOUT, TaskDeferralTimeout),
        (None, "Traceback …", TaskDeferralError),
        ({}, TIMEOUT, AirflowSensorTimeout),
        ({}, "Traceback …", TaskDeferralError),
        ({"soft_fail": True}, TIMEOUT, AirflowSkipException),
        ({"soft_fail": True}, "Traceback …", AirflowSkipException),
    ],
)
def test_a_trigger_that_failed_is_an_error_of_its_task(
    keywords: dict[str, Any] | None, error: str, kind: type[Exception]
) -> None:
    task = BaseOperator(task_id="t") if keywords is None else FileSensor(task_id="t", filepath="x", **keywords)

    with pytest.raises(kind):
        task.resume_execution(FAIL, {"error": error}, {})


class OwnTrigger(BaseTrigger):
    """Fires what it was made with, or ends without."""

    cleaned = 0

    def __init__(self, events: list[Any]) -> None:
        super().__init__()
        self.events = events

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.OwnTrigger", {"events": self.events}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        for event in self.events:
            yield TaskFailedEvent(xcoms={"why": 3}) if event == "fail" else TriggerEvent(event)

    async def cleanup(self) -> None:
        type(self).cleaned += 1


def test_the_first_event_counts_and_the_trigger_is_cleaned_up() -> None:
    before = OwnTrigger.cleaned

    assert fires(OwnTrigger([{1, 2}, 3])) == {"event": to_json({1, 2})}
    assert fires(OwnTrigger(["fail"])) == {"ends_as": "failed", "xcoms": {"why": 3}}
    with pytest.raises(AirflowException, match=r"^OwnTrigger ended without an event$"):
        fires(OwnTrigger([]))

    assert OwnTrigger.cleaned == before + 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_trigger(f"{__name__}.Nowhere", {}, root=None, file=""), r"there is no trigger .*Nowhere"),
        (lambda: make_trigger("datetime.timedelta", {}, root=None, file=""), r"is no trigger"),
        (lambda: BaseTrigger().serialize(), r"define serialize\(self\)"),
        (lambda: BaseTrigger().run(), r"define `async def run\(self\)`"),
    ],
)  # fmt: skip
def test_what_is_no_trigger_says_so(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(AirflowException, match=message):
        make()
