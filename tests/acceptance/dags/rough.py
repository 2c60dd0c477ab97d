"""Tasks that behave badly, each in its own way; the node must come to no harm."""

import os
import sys
from datetime import datetime, timedelta

from airflow import DAG
from airflow.decorators import task
from airflow.operators.bash import BashOperator

with DAG("rough", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=30):
    BashOperator(task_id="prints_50_mb", bash_command="head -c 50000000 /dev/zero | tr '\\0' 'x' | fold -w 200")
    BashOperator(task_id="prints_binary", bash_command="head -c 100000 /dev/urandom")
    BashOperator(task_id="forks_away", bash_command="setsid sleep 300 >/dev/null 2>&1 & echo left")
    BashOperator(task_id="holds_stdout", bash_command="sleep 300 & echo left")
    BashOperator(
        task_id="ignores_sigterm",
        bash_command="trap '' TERM; while true; do sleep 0.1; done",
        execution_timeout=timedelta(seconds=1),
    )
    BashOperator(task_id="kills_itself", bash_command="kill -9 $$")
    BashOperator(task_id="skips", bash_command="exit 99")
    BashOperator(task_id="nowhere", bash_command="true", cwd="/no/such/folder")

    @task
    def exits_hard() -> None:
        os._exit(3)

    @task
    def exits_softly() -> None:
        sys.exit("enough")

    @task
    def returns_what_json_cannot_hold() -> object:
        return object()

    exits_hard()
    exits_softly()
    returns_what_json_cannot_hold()
