"""dag.test() with tasks that defer themselves: their triggers run in this process too."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowd import DAG, BaseOperator
from flowd.operators.sensors.moments import TimeDeltaSensor
from flowd.operators.triggers.file import FileTrigger

DATE = datetime(2026, 1, 31, tzinfo=UTC)


class Deferring(BaseOperator):
    """Waits for a file, for so long at most."""

    def __init__(self, path: Path, wait: timedelta | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path, self.wait = path, wait

    def execute(self, context: Any) -> None:
        trigger = FileTrigger(str(self.path), poke_interval=0.01)
        self.defer(trigger=trigger, method_name="done", timeout=self.wait)

    def done(self, context: Any, event: Any) -> list[Any]:
        return [event]


@pytest.mark.parametrize(("is_there", "state"), [(True, "success"), (False, "failed")])
def test_a_deferred_task_goes_on_when_its_trigger_fires_and_fails_when_it_does_not(
    tmp_path: Path, is_there: bool, state: str
) -> None:
    file = tmp_path / "here"
    if is_there:
        file.touch()
    with DAG("deferring", schedule=None, start_date=DATE) as dag:
        Deferring(task_id="wait", path=file, wait=timedelta(seconds=1))
        TimeDeltaSensor(task_id="moment", delta=timedelta(seconds=0.2), deferrable=True)

    run = dag.test()

    assert {one.task_id: one.state.value for one in run.tasks} == {"wait": state, "moment": "success"}
