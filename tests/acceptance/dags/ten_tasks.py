"""Ten tasks, bash and Python in turn, that write in a journal when they begin and when they end."""

import json
import os
import time
from datetime import datetime

from airflow import DAG
from airflow.decorators import task
from airflow.operators.bash import BashOperator

NAMES = ("run", "task", "try", "token")
FIELDS = ", ".join(
    f'\\"{name}\\": \\"${variable}\\"'
    for name, variable in zip(
        NAMES, ("FLOWD_DAG_RUN_ID", "FLOWD_TASK_ID", "FLOWD_TRY_NUMBER", "FLOWD_CLAIM_TOKEN"), strict=True
    )
)


def note(event: str) -> str:
    return f'echo "{{\\"event\\": \\"{event}\\", {FIELDS}}}" >> "$JOURNAL"'


def write(event: str) -> None:
    variables = ("FLOWD_DAG_RUN_ID", "FLOWD_TASK_ID", "FLOWD_TRY_NUMBER", "FLOWD_CLAIM_TOKEN")
    line = {"event": event, **{name: os.environ[one] for name, one in zip(NAMES, variables, strict=True)}}
    # One write to a file opened for appending: lines of different processes never mix.
    journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, (json.dumps(line) + "\n").encode())
    os.close(journal)


with DAG("ten_tasks", schedule=None, start_date=datetime(2024, 1, 1), max_active_runs=200, max_active_tasks=100) as dag:

    @task
    def work(number: int) -> int:
        write("begin")
        time.sleep(0.02)
        write("end")
        return number

    before = None
    for index in range(10):
        if index % 2:
            step = work.override(task_id=f"python_{index}")(index)
        else:
            script = f"{note('begin')}; sleep 0.02; {note('end')}"
            step = BashOperator(task_id=f"bash_{index}", bash_command=script)
        if before is not None:
            before >> step
        before = step
