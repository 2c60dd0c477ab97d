"""A task that fails until it is told otherwise, and one that waits for a file."""

from datetime import datetime

from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG("repairable", schedule=None, start_date=datetime(2024, 1, 1)):
    first = BashOperator(task_id="first", bash_command="echo done")
    second = BashOperator(task_id="second", bash_command='test -e "$JOURNAL.repaired"')
    third = BashOperator(task_id="third", bash_command="echo at last")
    first >> second >> third

with DAG("waiting", schedule=None, start_date=datetime(2024, 1, 1)):
    BashOperator(
        task_id="wait", bash_command='echo waiting; until test -e "$JOURNAL.go"; do sleep 0.1; done; echo went'
    )
