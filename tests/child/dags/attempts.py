# mypy: ignore-errors
"""Tasks that end in every way a task can end."""

import logging
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

from airflow.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException
from airflow.hooks.base import BaseHook
from airflow.models import BaseOperator, Variable
from airflow.operators.bash import BashOperator
from airflow.operators.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator

from flowd import DAG, EmptyOperator, get_current_context, task

log = logging.getLogger("attempts")


def note(event):
    def callback(context):
        log.info("%s of %s in %s: %r", event, context["ti"].task_id, context["ti"].state, context["exception"])

    return callback


def bad_callback(context):
    raise RuntimeError("the callback is broken")


def raising(error):
    def run():
        raise error.with_traceback(None)

    return run


def terminated():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


class Cleaning(BaseOperator):
    template_fields = ("after",)

    def __init__(self, after=0.0, **kwargs):
        super().__init__(**kwargs)
        self.after = after

    def execute(self, context):
        try:
            terminated()
        except Exception:
            log.info("swallowed")

    def on_kill(self):
        log.info("cleaned up")


with DAG(
    "attempts",
    start_date=datetime(2026, 1, 1),
    on_success_callback=lambda context: log.info("run %s ended: %s", context["run_id"], context["reason"]),
    on_failure_callback=bad_callback,
    default_args={
        "on_success_callback": note("success"),
        "on_failure_callback": [bad_callback, note("failure")],
        "on_retry_callback": note("retry"),
        "on_skipped_callback": note("skip"),
        "on_execute_callback": note("execute"),
    },
) as dag:
    first = PythonOperator(task_id="first", python_callable=lambda ds, ti: [ds, ti.try_number])
    BashOperator(
        task_id="bash", bash_command="echo {{ ti.xcom_pull('first') }}; echo {{ params.x }}", params={"x": "last"}
    )
    PythonOperator(task_id="fails", python_callable=raising(ValueError("no rows")))
    PythonOperator(task_id="skips", python_callable=raising(AirflowSkipException("nothing to do")))
    PythonOperator(task_id="gives_up", python_callable=raising(AirflowFailException("never")))
    PythonOperator(
        task_id="waits", python_callable=raising(AirflowRescheduleException(datetime(2026, 1, 2, tzinfo=UTC)))
    )
    PythonOperator(task_id="exits", python_callable=lambda: sys.exit(3))
    PythonOperator(task_id="returns_object", python_callable=lambda: object())
    PythonOperator(task_id="returns_too_much", python_callable=lambda: "x" * (64 * 1024 * 1024))
    PythonOperator(task_id="keeps_it", python_callable=lambda: 1, do_xcom_push=False)
    BashOperator(task_id="bad_template", bash_command="echo {{ nothing }}")
    branch = BranchPythonOperator(task_id="branch", python_callable=lambda: "left")
    branch >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]
    ShortCircuitOperator(task_id="stop", python_callable=lambda: False) >> EmptyOperator(task_id="never")
    BashOperator(
        task_id="cleans_up",
        bash_command="trap 'echo cleaning up; sleep 0.2; echo cleaned; exit 0' TERM; echo waiting; sleep 30 & wait",
    )
    Cleaning(task_id="cleaning")
    Cleaning(task_id="overtime", execution_timeout=timedelta(seconds=1))

    @task(multiple_outputs=True)
    def several(values):
        return {"count": len(values), "total": sum(values)}

    @task
    def asks():
        context = get_current_context()
        context["ti"].xcom_push("seen", {datetime(2026, 1, 1)})
        Variable.set("new", "v")
        return [Variable.get("bucket"), BaseHook.get_connection("db").get_uri(), context["prev_start_date_success"]]

    several(first.output)
    asks()
