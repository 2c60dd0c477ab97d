# mypy: ignore-errors
"""A DAG file with a little of everything, under Airflow's names."""

import logging
from datetime import datetime, timedelta

from airflow import DAG
from airflow.decorators import dag, task, task_group
from airflow.models.baseoperator import chain
from airflow.models.param import Param
from airflow.operators.bash import BashOperator
from airflow.operators.dummy_operator import DummyOperator
from airflow.operators.python import BranchPythonOperator, PythonOperator
from airflow.utils.edgemodifier import Label
from airflow.utils.task_group import TaskGroup

log = logging.getLogger(__name__)


def alert(context):
    log.warning("alert %s", context["ti"].task_id)


def pick(**context):
    return "load.fast"


with DAG(
    "tour",
    description="all of it",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=True,
    tags={"b", "a", "c"},
    default_args={"owner": "ana", "retries": 2, "retry_delay": timedelta(minutes=1)},
    params={"limit": Param(10, type="integer", minimum=1, description="rows")},
    on_failure_callback=alert,
    dagrun_timeout=timedelta(hours=2),
) as tour:
    start = DummyOperator(task_id="start")
    extract = BashOperator(task_id="extract", bash_command="echo 1", env={"A": "b"}, append_env=True, cwd="/tmp")
    templated = BashOperator(task_id="templated", bash_command="echo {{ ds }}")
    watched = BashOperator(task_id="watched", bash_command="echo 1", on_failure_callback=alert)
    scripted = BashOperator(task_id="scripted", bash_command="scripts/run.sh")
    fed = BashOperator(task_id="fed", bash_command="cat", env={"X": extract.output})
    branch = BranchPythonOperator(task_id="branch", python_callable=pick)
    with TaskGroup("load", tooltip="two ways") as load:
        for name in {"fast", "slow"}:
            PythonOperator(task_id=name, python_callable=lambda: None, pool="db", priority_weight=5)
    watched_end = DummyOperator(task_id="end", on_success_callback=alert, trigger_rule="none_failed_or_skipped")

    chain(start, [extract, templated, watched, scripted], branch)
    branch >> Label("choose") >> load >> watched_end


@dag(schedule="@daily", start_date=datetime(2026, 1, 1))
def made_by_call():
    @task(retries=3, weight_rule="absolute", priority_weight=7)
    def number() -> int:
        return 1

    @task.branch
    def choose(n):
        return "g.double"

    @task(multiple_outputs=True)
    def double(n):
        return {"twice": 2 * n}

    @task_group
    def g(n):
        return double(n)

    chosen = choose(number())
    grouped = g(number.override(task_id="other")())
    chosen >> grouped


made_by_call()
