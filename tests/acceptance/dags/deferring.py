"""Tasks that wait without a process: for a moment, a file, a trigger of the file's own, another DAG."""

import asyncio
import os
from datetime import datetime, timedelta

from airflow import DAG
from airflow.models import BaseOperator, Variable
from airflow.operators.bash import BashOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sensors.external_task import ExternalTaskSensor
from airflow.sensors.python import PythonSensor
from airflow.triggers.base import BaseTrigger, TriggerEvent

START = datetime(2024, 1, 1)
JOURNAL = os.environ.get("JOURNAL", "")


def note_that_it_runs():
    with open(f"{JOURNAL}.triggered", "a") as file:
        file.write(f"{os.getpid()}\n")


def is_there(path):
    return os.path.exists(path)


class GoTrigger(BaseTrigger):
    """Fires when there is a file, with a count that its task gave it."""

    def __init__(self, path, count):
        super().__init__()
        self.path, self.count = path, count

    def serialize(self):
        return f"{__name__}.GoTrigger", {"path": self.path, "count": self.count}

    async def run(self):
        note_that_it_runs()
        while True:
            if is_there(self.path):
                yield TriggerEvent({"count": self.count + 1, "at": datetime.now()})
                return
            await asyncio.sleep(0.05)


class Going(BaseOperator):
    """Defers itself twice and says how it went on."""

    def execute(self, context):
        self.defer(trigger=GoTrigger(f"{JOURNAL}.go", 1), method_name="again", kwargs={"word": "hello"})

    def again(self, context, event, word):
        self.defer(trigger=GoTrigger(f"{JOURNAL}.go", event["count"]), method_name="done", kwargs={"word": word})

    def done(self, context, event, word):
        return {"count": event["count"], "word": word, "try": context["ti"].try_number}


class NeverTrigger(BaseTrigger):
    """Asks for a variable, and waits for ever."""

    def serialize(self):
        return f"{__name__}.NeverTrigger", {}

    async def run(self):
        Variable.get("nothing", default_var=None)
        await asyncio.Event().wait()
        yield TriggerEvent(None)


class BrokenTrigger(NeverTrigger):
    """Fails."""

    def serialize(self):
        return f"{__name__}.BrokenTrigger", {}

    async def run(self):
        raise RuntimeError("no such queue")
        yield TriggerEvent(None)


class Waiting(BaseOperator):
    """Waits for a trigger, for a moment at most."""

    def __init__(self, trigger, **kwargs):
        super().__init__(**kwargs)
        self.trigger = trigger

    def execute(self, context):
        self.defer(trigger=self.trigger, method_name="done", timeout=timedelta(seconds=1))

    def done(self, context, event):
        return event


with DAG("going", schedule=None, start_date=START):
    Going(task_id="go")

with DAG("awaited", schedule=None, start_date=START):
    BashOperator(task_id="say", bash_command="echo hello")

with DAG("deferring", schedule=None, start_date=START):
    TimeDeltaSensor(task_id="moment", delta=timedelta(seconds=1), deferrable=True)
    TimeDeltaSensor(task_id="ended", delta=timedelta(seconds=1), deferrable=True, end_from_trigger=True)
    FileSensor(task_id="file", filepath=f"{JOURNAL}.file", deferrable=True, poke_interval=0.1)
    TriggerDagRunOperator(
        task_id="run", trigger_dag_id="awaited", wait_for_completion=True, deferrable=True, poke_interval=0.1,
        logical_date="{{ (logical_date or dag_run.run_after).isoformat() }}",
    )  # fmt: skip
    ExternalTaskSensor(
        task_id="task", external_dag_id="awaited", external_task_id="say", deferrable=True, poll_interval=0.1
    )

with DAG("disappointed", schedule=None, start_date=START):
    Waiting(task_id="too_late", trigger=NeverTrigger())
    Waiting(task_id="broken", trigger=BrokenTrigger())

with DAG("poking", schedule=None, start_date=START):
    PythonSensor(
        task_id="poke", python_callable=lambda: os.path.exists(f"{JOURNAL}.go"), mode="reschedule", poke_interval=0.3
    )
