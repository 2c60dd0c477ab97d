"""500 Python tasks that do nothing, all at once."""

from datetime import datetime

from flowd import DAG, task

with DAG("bench_noop_fan", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=500):

    @task
    def noop() -> None:
        pass

    for index in range(500):
        noop.override(task_id=f"noop_{index}")()
