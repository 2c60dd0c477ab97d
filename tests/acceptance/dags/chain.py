"""Bash and Python in a chain that hand a value on by XCom; the last waits until it is let go, if it is told to."""

from datetime import datetime

from airflow import DAG
from airflow.decorators import task
from airflow.operators.bash import BashOperator

with DAG("chain", schedule=None, start_date=datetime(2024, 1, 1), default_args={"retries": 0}):
    say = BashOperator(task_id="say", bash_command="echo 20")

    @task
    def double(found: str) -> int:
        return int(found) * 2

    @task
    def add_two(found: int) -> int:
        return found + 2

    wait = BashOperator(
        task_id="wait",
        bash_command='echo "$FLOWD_TRY_NUMBER" >> "$JOURNAL"; until test -e "$JOURNAL.go"; do sleep 0.05; done',
    )
    write = BashOperator(
        task_id="write",
        bash_command="echo \"answer {{ ti.xcom_pull(task_ids='add_two') }}\"",
    )
    answer = add_two(double(say.output))
    answer >> wait >> write
