"""Sensors: when they are done, how they wait, and what becomes of them when they have waited long enough."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowd.domain.errors import InvalidDag
from flowd.domain.ids import TaskId
from flowd.operators.decorators import task
from flowd.operators.sensors.bash import BashSensor
from flowd.operators.sensors.file import FileSensor
from flowd.operators.sensors.moments import (
    DateTimeSensor,
    DayOfWeekSensor,
    TimeDeltaSensor,
    TimeSensor,
    WaitSensor,
)
from flowd.operators.sensors.python import PythonSensor
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.base_sensor import BaseSensorOperator, PokeReturnValue
from flowd.sdk.context import Context, context_of
from flowd.sdk.dag import DAG
from flowd.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from tests.operators.running import execute
from tests.support.specs import an_assignment

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def dag() -> Any:
    with DAG("waiting", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        yield dag


def context_after(task: BaseOperator, leg: int, waited: timedelta) -> Context:
    since = datetime.now(UTC) - waited if leg else None
    return context_of(an_assignment(task_id=TaskId(task.task_id), leg=leg, waits_since=since), task)


def never(**keywords: Any) -> PythonSensor:
    return PythonSensor(task_id="never", python_callable=lambda: False, **keywords)


def raising(error: Exception, **keywords: Any) -> PythonSensor:
    def fail() -> None:
        raise error

    return PythonSensor(task_id="fails", python_callable=fail, **keywords)


def test_it_pokes_until_it_is_done() -> None:
    answers = iter([False, False, True])

    execute(PythonSensor(task_id="third", python_callable=lambda: next(answers), poke_interval=0))

    assert list(answers) == []


def test_what_comes_with_a_done_poke_is_its_xcom() -> None:
    found = PythonSensor(task_id="found", python_callable=lambda: PokeReturnValue(True, xcom_value={"rows": 3}))

    assert execute(found) == {"rows": 3}


def test_task_sensor_pokes_by_its_function_with_its_arguments() -> None:
    @task.sensor(poke_interval=0, mode="reschedule", timeout=60)
    def there(wanted: int, ti: Any = None) -> PokeReturnValue:
        return PokeReturnValue(is_done=wanted == 3, xcom_value=ti.task_id)

    output = there(3)

    assert isinstance(output.operator, BaseSensorOperator) and output.operator.mode == "reschedule"
    assert execute(output.operator) == "there"


def test_a_rescheduled_sensor_asks_for_its_next_poke() -> None:
    sensor = never(mode="reschedule", poke_interval=600)

    with pytest.raises(AirflowRescheduleException) as raised:
        execute(sensor)

    assert timedelta(seconds=599) < raised.value.reschedule_date - datetime.now(UTC) <= timedelta(seconds=600)


def test_the_timeout_of_a_rescheduled_sensor_counts_from_its_first_poke() -> None:
    sensor = never(mode="reschedule", timeout=3600, poke_interval=600)

    with pytest.raises(AirflowRescheduleException) as raised:
        execute(sensor, context_after(sensor, 1, HOUR - timedelta(seconds=60)))
    with pytest.raises(AirflowSensorTimeout, match=r"^it waited longer than its timeout of 3600 s$"):
        execute(sensor, context_after(sensor, 7, HOUR))

    assert raised.value.reschedule_date - datetime.now(UTC) <= timedelta(seconds=60), "it looks once more at the end"


def test_in_mode_poke_it_times_out_in_its_own_process() -> None:
    with pytest.raises(AirflowSensorTimeout):
        execute(never(timeout=0.01, poke_interval=60))


def test_intervals_double_up_to_the_longest() -> None:
    sensor = never(mode="reschedule", poke_interval=60, exponential_backoff=True, max_wait=timedelta(seconds=600))
    waits = []
    for leg in (0, 2, 9):
        with pytest.raises(AirflowRescheduleException) as raised:
            execute(sensor, context_after(sensor, leg, HOUR))
        waits.append((raised.value.reschedule_date - datetime.now(UTC)).total_seconds())

    assert 59 <= waits[0] <= 75 and 239 <= waits[1] <= 300 and 599 <= waits[2] <= 600


@pytest.mark.parametrize(
    ("error", "keywords", "wanted"),
    [
        (AirflowFailException("no"), {"soft_fail": True}, AirflowSkipException),
        (AirflowFailException("no"), {}, AirflowFailException),
        (ValueError("no"), {"soft_fail": True}, ValueError),
        (ValueError("no"), {"never_fail": True}, AirflowSkipException),
        (ValueError("no"), {"silent_fail": True, "timeout": 0}, AirflowSensorTimeout),
        (AirflowSkipException("no"), {"silent_fail": True}, AirflowSkipException),
    ],
)
def test_what_an_error_of_a_poke_means(error: Exception, keywords: dict[str, Any], wanted: type[Exception]) -> None:
    with pytest.raises(wanted):
        execute(raising(error, **keywords))


def test_past_its_timeout_soft_fail_skips() -> None:
    with pytest.raises(AirflowSkipException, match="soft_fail is set"):
        execute(never(timeout=0, soft_fail=True))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"mode": "wait"}, r"mode is 'wait', wanted poke or reschedule"),
        ({"timeout": -1}, r"cannot be negative"),
        ({"soft_fail": True, "never_fail": True}, r"soft_fail and never_fail are both set"),
    ],
)
def test_a_sensor_that_cannot_be_is_refused(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDag, match=message):
        never(**keywords)


@pytest.mark.parametrize(("code", "wanted"), [(0, True), (1, False), (99, False)])
def test_a_bash_sensor_is_done_when_its_command_exits_with_0(code: int, wanted: bool) -> None:
    sensor = BashSensor(task_id="bash", bash_command=f"exit {code}", mode="reschedule")

    assert sensor.plain_work() is None
    if wanted:
        execute(sensor)
    else:
        with pytest.raises(AirflowRescheduleException):
            execute(sensor)


def test_a_bash_sensor_with_a_retry_exit_code_fails_on_any_other() -> None:
    with pytest.raises(AirflowFailException, match=r"^the bash command exited with 3; wanted 0, or 1 for not yet$"):
        execute(BashSensor(task_id="bash", bash_command="exit 3", retry_exit_code=1))


def test_a_file_sensor_sees_files_patterns_and_folders_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.csv").touch()

    seen = {
        name: FileSensor(task_id=f"file{number}", filepath=str(tmp_path / name)).poke(Context({}, {}, None))
        for number, name in enumerate(["full/a.csv", "full", "full/*.csv", "empty", "missing"])
    }

    assert seen == {"full/a.csv": True, "full": True, "full/*.csv": True, "empty": False, "missing": False}


@pytest.mark.parametrize(
    ("sensor", "keywords", "is_done"),
    [
        (DateTimeSensor, {"target_time": NOW - HOUR}, True),
        (
            DateTimeSensor,
            {"target_time": "{{ macros.datetime(2126, 1, 1).isoformat() }}"},
            False,
        ),
        (TimeDeltaSensor, {"delta": timedelta(days=36500)}, False),
        (TimeSensor, {"target_time": time(0, 0)}, True),
        (WaitSensor, {"time_to_wait": timedelta(0)}, True),
        (WaitSensor, {"time_to_wait": 5}, False),
        (DayOfWeekSensor, {"week_day": {1, 2, 3, 4, 5, "saturday", "Sunday"}}, True),
        (DayOfWeekSensor, {"week_day": set()}, False),
    ],
)
def test_sensors_of_moments(sensor: type[BaseSensorOperator], keywords: dict[str, Any], is_done: bool) -> None:
    waiting = sensor(task_id="moment", mode="reschedule", **keywords)

    if is_done:
        execute(waiting)
    else:
        with pytest.raises(AirflowRescheduleException):
            execute(waiting)


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidDag, match=r"^task 'day': week_day is 'Moonday', wanted the name of a day"):
        DayOfWeekSensor(task_id="day", week_day="Moonday")


def test_a_sensor_that_does_not_define_poke_says_so() -> None:
    with pytest.raises(AirflowException, match=r"^BaseSensorOperator 'idle' waits for nothing: define poke"):
        execute(BaseSensorOperator(task_id="idle"))
