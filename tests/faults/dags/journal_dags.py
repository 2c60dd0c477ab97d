"""DAGs whose tasks write down, in one journal for all, when they begin, that they live, and when they end.

    begin|tick|end <monotonic_ns> <dag_id> <run_id> <task_id> <map_index> <try> <token> <pid>

What goes into the journal was printed before, so that the log of a try can be compared with it.
"""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta

from airflow import DAG
from airflow.decorators import task
from airflow.models import BaseOperator, Variable
from airflow.operators.bash import BashOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, AssetWatcher, AsyncCallback, DeadlineAlert, DeadlineReference
from airflow.timetables.base import DagRunInfo, Timetable
from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

IDENTITY = ("DAG_ID", "DAG_RUN_ID", "TASK_ID", "MAP_INDEX", "TRY_NUMBER", "CLAIM_TOKEN")
TICK_SECONDS = 0.1

# The shell has no CLOCK_MONOTONIC: /proc/uptime counts it in hundredths of a second, rounded down. So a beginning is
# put one later: no process is to look as if it overlapped with the one before it.
SCRIPT = """
note() {
    read -r up _ < /proc/uptime
    up=$((10#${up/./}))
    [[ $1 != begin ]] || up=$((up + 1))
    line="$1 ${up}0000000 %s $$"
    echo "$line"
    echo "$line" >> "$JOURNAL"
}
note begin
for tick in $(seq %d); do sleep %s; note tick; done
note end
"""


def script(ticks: int) -> str:
    return SCRIPT % (" ".join(f"$FLOWD_{name}" for name in IDENTITY), ticks, TICK_SECONDS)


def note(event: str) -> None:
    names = [os.environ[f"FLOWD_{name}"] for name in IDENTITY]
    line = " ".join([event, str(time.monotonic_ns()), *names, str(os.getpid())]) + "\n"
    print(line, end="", flush=True)
    # One write to a file opened for appending: lines of different processes never mix.
    journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(journal, line.encode())
    os.close(journal)


def live(ticks: int) -> None:
    note("begin")
    for _ in range(ticks):
        time.sleep(TICK_SECONDS)
        note("tick")
    note("end")


async def told_of_deadline(context) -> None:
    """What a deadline calls: it has been told, and that is all."""


class EverySecond(Timetable):
    """A timetable of an author's own, which is asked for each run in a child process."""

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        return DagRunInfo.exact(datetime.now(UTC) + timedelta(seconds=1))


class Soon(BaseTrigger):
    """A trigger of an author's own, which a worker runs in a child process."""

    def serialize(self):
        return f"{__name__}.Soon", {}

    async def run(self):
        await asyncio.sleep(2)
        yield TriggerEvent("soon")


class Clock(BaseEventTrigger):
    """Says four times a second that an asset has changed."""

    def serialize(self):
        return f"{__name__}.Clock", {}

    async def run(self):
        while True:
            await asyncio.sleep(0.25)
            yield TriggerEvent("tick")


class Deferred(BaseOperator):
    """Waits without a process, and writes in the journal when it goes on."""

    def execute(self, context):
        self.defer(trigger=Soon(), method_name="go_on")

    def go_on(self, context, event):
        live(0)


MANY = {"max_active_runs": 2_000, "max_active_tasks": 500, "schedule": None, "start_date": datetime(2024, 1, 1)}
CHANGED = Asset("journal://changed")
WATCHED = Asset("journal://watched", watchers=[AssetWatcher(name="clock", trigger=Clock())])
PATIENT = {"retries": 10, "retry_delay": timedelta(milliseconds=200)}

with DAG("journal_chain", default_args=PATIENT, **MANY):

    @task
    def python_step(number: int) -> int:
        live(1)
        return number

    first = python_step.override(task_id="first")(1)
    second = BashOperator(task_id="second", bash_command=script(1))
    third = python_step.override(task_id="third")(3)
    first >> second >> third

with DAG("journal_fan", default_args=PATIENT, **MANY):

    @task
    def root() -> str:
        live(0)
        return "seed"

    @task(pool="narrow")
    def leaf(number: int, seed: str) -> int:
        live(2)
        return number

    @task
    def join(numbers: list[int]) -> int:
        live(0)
        return sum(numbers)

    seed = root()
    join([leaf.override(task_id=f"leaf_{number}")(number, seed) for number in range(4)])

with DAG("journal_flaky", default_args=PATIENT, **MANY):

    @task
    def fails_first() -> None:
        live(0)
        if os.environ["FLOWD_TRY_NUMBER"] == "1":
            raise RuntimeError("the first try fails")

    fails_first() >> BashOperator(task_id="after", bash_command=script(0))

with DAG("journal_long", default_args=PATIENT, **MANY):
    BashOperator(task_id="long_bash", bash_command=script(30))

    @task
    def long_python() -> None:
        live(30)

    long_python()

with DAG(
    "journal_scheduled",
    is_paused_upon_creation=True,
    default_args=PATIENT,
    **{**MANY, "schedule": timedelta(seconds=1), "catchup": False},
):
    BashOperator(task_id="tick", bash_command=script(0))

with DAG("journal_idle", is_paused_upon_creation=True, **MANY):
    BashOperator(task_id="never", bash_command=script(0))

with DAG("journal_callback", default_args=PATIENT, on_success_callback=lambda context: None, **MANY):
    BashOperator(task_id="only", bash_command=script(0))

with DAG("journal_outlet", default_args=PATIENT, **MANY):
    BashOperator(task_id="changes", bash_command=script(0), outlets=[CHANGED])

with DAG("journal_watched", is_paused_upon_creation=True, default_args=PATIENT, **{**MANY, "schedule": [WATCHED]}):
    BashOperator(task_id="seen", bash_command=script(0))

with DAG("journal_asset", default_args=PATIENT, **{**MANY, "schedule": [CHANGED]}):
    BashOperator(task_id="answers", bash_command=script(0))

with DAG("journal_failing", max_consecutive_failed_dag_runs=1, **MANY):
    BashOperator(task_id="fails", bash_command=script(0) + "exit 1")

with DAG(
    "journal_deadline",
    deadline=DeadlineAlert(
        DeadlineReference.DAGRUN_QUEUED_AT, timedelta(seconds=1), AsyncCallback(told_of_deadline), name="soon"
    ),
    default_args=PATIENT,
    **MANY,
):
    BashOperator(task_id="late", bash_command=script(20))

with DAG(
    "journal_timetable",
    is_paused_upon_creation=True,
    default_args=PATIENT,
    **{**MANY, "schedule": EverySecond(), "catchup": False},
):
    BashOperator(task_id="tick", bash_command=script(0))

with DAG(
    "journal_backfill",
    default_args=PATIENT,
    **{**MANY, "schedule": timedelta(days=1), "end_date": datetime(2024, 1, 1), "catchup": False},
):
    BashOperator(task_id="replayed", bash_command=script(0))

with DAG("journal_deferred", default_args=PATIENT, **MANY):
    Deferred(task_id="waits")

with DAG("journal_person", default_args=PATIENT, **MANY):
    ApprovalOperator(task_id="asks", subject="Go on?") >> BashOperator(task_id="goes_on", bash_command=script(0))

with DAG("journal_unanswered", default_args=PATIENT, **MANY):
    (
        ApprovalOperator(task_id="asks", subject="Go on?", defaults="Approve", response_timeout=timedelta(seconds=1))
        >> BashOperator(task_id="goes_on", bash_command=script(0))
    )

with DAG("journal_triggered", default_args=PATIENT, **MANY):
    BashOperator(task_id="only", bash_command=script(0))

with DAG("journal_triggering", default_args=PATIENT, **MANY):
    TriggerDagRunOperator(
        task_id="triggers", trigger_dag_id="journal_triggered", wait_for_completion=True, poke_interval=0.5
    )

with DAG("journal_asking", default_args=PATIENT, **MANY):

    @task(inlets=[CHANGED])
    def asks(ti=None, task_state_store=None, asset_state_store=None) -> None:
        live(0)
        ti.xcom_push(key="asked", value=1)
        Variable.set("journal_asking", "set")
        Variable.delete("journal_asking")
        for store in (task_state_store, asset_state_store[CHANGED]):
            store.set("asked", 1)
            store.delete("asked")

    asks() >> BashOperator(task_id="templated", bash_command=script(0), env={"WHEN": "{{ ds }}"}, append_env=True)
