"""1 -> 500 -> 1 bash tasks that do nothing."""

from datetime import datetime

from flowd import DAG, BashOperator

with DAG("bench_bash_fan", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=500):
    first = BashOperator(task_id="first", bash_command="true")
    last = BashOperator(task_id="last", bash_command="true")
    first >> [BashOperator(task_id=f"true_{index}", bash_command="true") for index in range(500)] >> last
